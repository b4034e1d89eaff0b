import { createHash, randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { type BlobId, type Grant, parseBlobId, StoreError } from '@tidemark/protocol'
import { UnfitStoreError } from './errors.js'
import { type Answer, type Body, sendByGrant } from './grant-request.js'
import type { GrantSigner, Moment } from './grant-signer.js'
import type { S3Objects } from './s3-objects.js'
import type { Bind, EssentialCheck, OtherCheck, SelfTestCheck, SelfTestReport } from './self-test-report.js'

export interface SelfTestParts {
  readonly objects: S3Objects
  readonly signer: GrantSigner
  /** What the keys of this run begin with; nobody else writes there. */
  readonly prefix: string
  /** As grants are given now. */
  readonly moment: () => Moment
  /** Silence after which a request is given up, milliseconds. */
  readonly requestTimeoutMs: number
}

/** The strongest first. A store that knows no checksums may know payload hashes, and the other way round. */
const BINDS: readonly Bind[] = ['dual', 'payload-hash', 'checksum']
const BLOB_BYTES = 1_000
/** A store that fails is asked again after 200, 400, 800 milliseconds: what it cannot do now proves nothing. */
const TRIES = 4
const RETRY_DELAY_MS = 200

type Check = EssentialCheck | OtherCheck

interface Probe {
  readonly key: string
  readonly id: BlobId
  readonly bytes: Body
}

/**
 * Asks the store, with small objects of its own, for everything that we rely on: as clients ask, by grant and
 * over HTTP. Removes what it made.
 * @throws {UnfitStoreError} something essential is missing, {StoreError} the store cannot be reached.
 */
export async function selfTest(parts: SelfTestParts): Promise<SelfTestReport> {
  const run = new SelfTest(parts)
  try {
    return await run.run()
  } finally {
    await run.clean()
  }
}

class SelfTest {
  readonly #parts: SelfTestParts
  readonly #checks: SelfTestCheck[] = []
  readonly #made: Probe[] = []
  #bind: Bind = 'dual'

  constructor(parts: SelfTestParts) {
    this.#parts = parts
  }

  async run(): Promise<SelfTestReport> {
    const stored = await this.#findBind()
    if (stored) {
      await this.#refusals()
      await this.#reads(stored)
      await this.#replay(stored)
      await this.#deletes(stored)
    }
    const holds = (check: OtherCheck) => this.#checks.some((each) => each.check === check && each.holds)
    const report: SelfTestReport = {
      checks: this.#checks,
      bind: this.#bind,
      verifiesOnPut: holds('refuses-wrong-bytes') && holds('refuses-wrong-length'),
      createsOnlyOnce: holds('creates-only-once'),
      tellsChecksums: holds('tells-checksums'),
    }
    const missing = this.#checks.filter(({ isEssential, holds }) => isEssential && !holds)
    if (missing.length > 0) throw new UnfitStoreError(sentenceOf(missing), report)
    return report
  }

  /** What is left when this fails is ended by the lifecycle rule. */
  async clean(): Promise<void> {
    await Promise.allSettled(this.#made.map(({ key }) => this.#parts.objects.delete(key)))
  }

  /** @returns a probe that is stored, bound by the strongest way that the store understands. */
  async #findBind(): Promise<Probe | undefined> {
    let refused = ''
    for (const bind of BINDS) {
      const probe = this.#probe()
      const answer = await this.#send(await this.#grantPut(probe, { bind }), probe.bytes)
      const head = answer.isSuccess ? await this.#parts.objects.head(probe.key) : undefined
      if (head?.length === BLOB_BYTES) {
        this.#bind = bind
        this.#note('stores-what-was-granted', true, bind)
        return probe
      }
      refused ||= answer.isSuccess ? `${answer.text}, and nothing is there` : answer.text
    }
    this.#note('stores-what-was-granted', false, refused)
    return undefined
  }

  async #refusals(): Promise<void> {
    await this.#refuses('refuses-wrong-bytes', async (probe) => {
      const flipped = Uint8Array.from(probe.bytes, (byte, i) => (i === BLOB_BYTES - 1 ? byte ^ 1 : byte))
      return [{ grant: await this.#grantPut(probe), body: flipped }]
    })
    await this.#refuses('refuses-wrong-length', async (probe) => [
      { grant: await this.#grantPut(probe), body: probe.bytes.subarray(1) },
      { grant: await this.#grantPut({ ...probe, bytes: probe.bytes.subarray(1) }), body: probe.bytes },
    ])
    await this.#refuses('refuses-changed-grants', async (probe) => {
      const grant = await this.#grantPut(probe)
      const get = await this.#parts.signer.get(probe.key, this.#parts.moment())
      const variants: Grant[] = [
        {
          ...grant,
          url: grant.url.replace(
            /(X-Amz-Signature=)(.)/,
            (_, name, digit) => name + (digit === '0' ? '1' : '0'),
          ),
        },
        { ...grant, url: grant.url.replace(/X-Amz-Expires=/, 'X-Amz-Expires=1') },
        { ...grant, url: grant.url.replace(probe.key, this.#probe().key) },
        { ...get, method: 'PUT' },
        ...Object.keys(grant.headers).map((left) => ({ ...grant, headers: without(grant.headers, left) })),
      ]
      return variants.map((variant) => ({ grant: variant, body: probe.bytes }))
    })
    await this.#refuses('refuses-expired-grants', async (probe) => {
      const { nowMs, ttlMs } = this.#parts.moment()
      const terms = { id: probe.id, length: BLOB_BYTES, bind: this.#bind, createOnly: false }
      const grant = await this.#parts.signer.put(probe.key, terms, { nowMs: nowMs - ttlMs - 60_000, ttlMs })
      return [{ grant, body: probe.bytes }]
    })
    await this.#refuses('refuses-unsigned-headers', async (probe) => {
      const grant = await this.#grantPut(probe)
      return [
        { grant: { ...grant, headers: { ...grant.headers, 'x-amz-meta-mark': 'x' } }, body: probe.bytes },
      ]
    })
  }

  /** Each request must be refused, and nothing may be stored. */
  async #refuses(
    check: Extract<Check, `refuses-${string}`>,
    requests: (probe: Probe) => Promise<{ grant: Grant; body: Body }[]>,
  ): Promise<void> {
    const before = this.#made.length
    let detail = ''
    let holds = true
    for (const { grant, body } of await requests(this.#probe())) {
      const answer = await this.#send(grant, body)
      if (answer.isRefusal) detail ||= answer.text
      else {
        holds = false
        detail = answer.text
        break
      }
    }
    for (const { key } of this.#made.slice(before)) {
      if ((await this.#parts.objects.head(key)) === undefined) continue
      holds = false
      detail = `${detail}, and stored it`
    }
    this.#note(check, holds, detail)
  }

  async #reads({ key, bytes }: Probe): Promise<void> {
    const grant = await this.#parts.signer.get(key, this.#parts.moment())
    let detail = ''
    let holds = true
    for (const [first, last] of [
      [0, BLOB_BYTES - 1],
      [10, 19],
      [BLOB_BYTES - 1, BLOB_BYTES - 1],
    ] as const) {
      const answer = await this.#send(grant, undefined, { range: `bytes=${first}-${last}` })
      const isRange = answer.status === 206 && answer.contentRange === `bytes ${first}-${last}/${BLOB_BYTES}`
      detail = answer.text
      holds = isRange && Buffer.compare(answer.body, bytes.subarray(first, last + 1)) === 0
      if (!holds) break
    }
    this.#note('reads-ranges', holds, detail)
    const head = await this.#parts.objects.head(key)
    this.#note(
      'tells-checksums',
      head?.sha256 !== undefined,
      head?.sha256 === undefined ? 'no checksum' : 'sha256',
    )
    const listed: string[] = []
    for await (const page of this.#parts.objects.list(this.#parts.prefix)) listed.push(...page)
    this.#note('lists-after-put', listed.includes(key), `${listed.length} keys`)
  }

  /** A grant that is sent again, to a key that is taken: it must be told so, and leave what is there. */
  async #replay({ key, id, bytes }: Probe): Promise<void> {
    const before = await this.#parts.objects.head(key)
    const answer = await this.#send(await this.#grantPut({ key, id, bytes }, { createOnly: true }), bytes)
    const fresh = this.#probe()
    const first = await this.#send(await this.#grantPut(fresh, { createOnly: true }), fresh.bytes)
    const isKept = (await this.#parts.objects.head(key))?.etag === before?.etag
    const holds = answer.status === 412 && first.isSuccess && isKept
    this.#note('creates-only-once', holds, `first ${first.text}, again ${answer.text}`)
  }

  async #deletes({ key }: Probe): Promise<void> {
    await this.#parts.objects.delete(key)
    const head = await this.#parts.objects.head(key)
    this.#note('deletes', head === undefined, head === undefined ? 'gone' : 'still there')
  }

  #grantPut(
    { key, id, bytes }: Probe,
    { bind = this.#bind, createOnly = false }: { bind?: Bind; createOnly?: boolean } = {},
  ): Promise<Grant> {
    const terms = { id, length: bytes.length, bind, createOnly }
    return this.#parts.signer.put(key, terms, this.#parts.moment())
  }

  /** @throws {StoreError} the store fails, or does not answer. */
  async #send(grant: Grant, body?: Body, headers: Record<string, string> = {}): Promise<Answer> {
    for (let tries = 1; ; tries++) {
      const answer = await sendByGrant(grant, { body, headers, timeoutMs: this.#parts.requestTimeoutMs })
      if (answer.status < 500 && answer.status !== 429) return answer
      if (tries === TRIES) throw new StoreError(`blob store: status ${answer.text}`, answer.status)
      await delay(RETRY_DELAY_MS * 2 ** (tries - 1))
    }
  }

  #probe(): Probe {
    const bytes = new Uint8Array(randomBytes(BLOB_BYTES))
    const id = parseBlobId(createHash('sha256').update(bytes).digest('hex'))
    const probe = { key: `${this.#parts.prefix}${id}`, id, bytes }
    this.#made.push(probe)
    return probe
  }

  #note(check: Check, holds: boolean, detail: string): void {
    this.#checks.push({ check, isEssential: check in CANNOT, holds, detail })
  }
}

function without(headers: Readonly<Record<string, string>>, name: string): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([each]) => each !== name))
}

const CANNOT: Readonly<Record<EssentialCheck, string>> = {
  'stores-what-was-granted': 'it does not store what a grant allows',
  'refuses-changed-grants': 'it takes grants that were changed: anybody could write',
  'refuses-expired-grants': 'it takes grants that are over',
  'reads-ranges': 'it does not answer ranges',
  'lists-after-put': 'it does not list what was just put',
  deletes: 'it does not delete',
}

const sentenceOf = (missing: readonly SelfTestCheck[]): string =>
  `the S3 store is not fit to hold blobs: ${missing
    .map(({ check, detail }) => `${CANNOT[check as EssentialCheck]} (${detail})`)
    .join('; ')}`
