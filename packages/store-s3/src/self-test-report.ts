/**
 * How a granted upload names its bytes: as payload hash of the signature, as checksum, or both; see
 * docs/decisions/0018.
 */
export type Bind = 'dual' | 'payload-hash' | 'checksum'

/** Without one of these a store is no blob store, or gives its bytes to strangers. */
export type EssentialCheck =
  | 'stores-what-was-granted'
  | 'refuses-changed-grants'
  | 'refuses-expired-grants'
  | 'reads-ranges'
  | 'lists-after-put'
  | 'deletes'

/** Without one of these the store is used with more care, see the README. */
export type OtherCheck =
  | 'refuses-wrong-bytes'
  | 'refuses-wrong-length'
  | 'refuses-unsigned-headers'
  | 'creates-only-once'
  | 'tells-checksums'

export interface SelfTestCheck {
  readonly check: EssentialCheck | OtherCheck
  readonly isEssential: boolean
  readonly holds: boolean
  /** What the store did, in short: a status and code, or what came instead. */
  readonly detail: string
}

/** What a store was seen to do, at one moment, with objects of its own. */
export interface SelfTestReport {
  readonly checks: readonly SelfTestCheck[]
  readonly bind: Bind
  /** A wrong body is refused by the store; otherwise each blob is read back and hashed before it counts. */
  readonly verifiesOnPut: boolean
  /** A grant stores nothing where there is a blob already. */
  readonly createsOnlyOnce: boolean
  /** A HEAD says the SHA-256 of the object. */
  readonly tellsChecksums: boolean
}
