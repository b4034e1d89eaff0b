export { referenceView } from '../core/view/reference.js'
export { type KeyValueStoreFixture, runKeyValueStoreConformance } from './key-value-store-conformance.js'
