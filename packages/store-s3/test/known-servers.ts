import type { SelfTestCheck } from '../src/index.js'

/** How a server is known to differ from S3: a change of one of these is to be noticed. */
export interface KnownServer {
  /** Checks of the self-test that do not hold. */
  readonly lacks: readonly SelfTestCheck['check'][]
}

export const KNOWN_SERVERS: Readonly<Record<string, KnownServer>> = {
  /** As strict as S3; S3 itself was not tried. */
  s3: { lacks: [] },
  /** Ceph 16.2. It knows no x-amz-checksum-sha256, and takes what a grant does not name: an ACL, metadata. */
  radosgw: { lacks: ['refuses-unsigned-headers', 'tells-checksums'] },
}
