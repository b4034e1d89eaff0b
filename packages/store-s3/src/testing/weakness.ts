/** What other stores were seen to do, or could: with one of these the double is less than S3. */
export type Weakness =
  /** Does not compare a body with the payload hash of its signature. */
  | 'ignores-payload-hash'
  /** Counts the body of every presigned URL as unsigned: a payload hash in its signature makes it wrong. */
  | 'knows-no-hash-in-urls'
  /** Does not know x-amz-checksum-sha256: neither compares nor tells it. */
  | 'ignores-checksum'
  /** Answers 400 to a request that has x-amz-checksum-sha256. */
  | 'refuses-checksum'
  /** Stores over what is there, whatever If-None-Match says. */
  | 'ignores-conditions'
  /** Takes headers x-amz-* that are not signed. */
  | 'takes-unsigned-headers'
  /** Never compares a signature. */
  | 'ignores-signatures'
  /** Takes presigned URLs that are over. */
  | 'ignores-expiry'
  /** Answers a range with the whole object. */
  | 'ignores-ranges'
  /** Lists objects a minute after they were put. */
  | 'lists-late'
  /** Answers 204 to a DELETE and keeps the object. */
  | 'keeps-deleted'
