import { setTimeout as delay } from 'node:timers/promises'
import { jobOf, openProgram, PATH, tell } from './job.js'
import { SegmentDigests } from './segment-digests.js'

/** Reads the file from the space and hashes it, without a copy on disk; started again after a kill it goes on. */
const job = jobOf(process.argv)
const { replica, space } = await openProgram(job)
while (!(await space.stat(PATH))) await delay(20)
const digests = new SegmentDigests(job.digests)
for await (const part of space.read(PATH, { start: digests.notedBytes })) {
  digests.add(part)
  tell(digests.notedBytes)
}
process.stdout.write(`digest ${digests.finish()}\ndone\n`)
await replica.close()
