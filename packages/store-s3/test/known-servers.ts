import type { Bind, SelfTestCheck } from '../src/index.js'

/** How a server is known to differ from S3: a change of one of these is to be noticed. */
export interface KnownServer {
  readonly bind: Bind
  /** Checks of the self-test that do not hold. */
  readonly lacks: readonly SelfTestCheck['check'][]
}

export const KNOWN_SERVERS: Readonly<Record<string, KnownServer>> = {
  /** As strict as S3 is documented; S3 itself was not tried. */
  s3: { bind: 'dual', lacks: [] },
  /** Ceph 16.2. It knows no x-amz-checksum-sha256, and takes what a grant does not name: an ACL, metadata. */
  radosgw: { bind: 'dual', lacks: ['refuses-unsigned-headers', 'tells-checksums'] },
  /** 1.8, on a directory. In a URL it takes no payload hash but UNSIGNED-PAYLOAD. */
  versitygw: { bind: 'checksum', lacks: [] },
}
