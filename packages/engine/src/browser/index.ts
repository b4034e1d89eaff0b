export { createWebHasher } from '../adapters/web-hasher.js'
