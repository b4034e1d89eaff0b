import { runBlobStoreConformance, runTransportConformance } from '@tidemark/protocol/conformance'
import { setUpBlobStore, setUpTransport } from './setups.js'

runTransportConformance('tcp', setUpTransport)

runBlobStoreConformance('log', setUpBlobStore, { verifiesOnPut: true, grants: false })
