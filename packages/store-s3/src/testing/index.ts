export type { CorsRule } from './cors.js'
export type { Fault, FaultPlan, Faults } from './faults.js'
export { S3Double, type S3DoubleOptions, type SeenRequest } from './s3-double.js'
export type { Weakness } from './weakness.js'
