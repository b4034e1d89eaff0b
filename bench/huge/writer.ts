import { jobOf, openProgram, PATH, tell } from './job.js'
import { seededSource } from './seeded-source.js'

/** Puts the file into the space; started again after a kill it goes on. */
const job = jobOf(process.argv)
const { replica, space } = await openProgram(job)
const source = seededSource(job.seed, job.size)
await space.write(PATH, source, { fingerprint: `${job.seed} ${job.size}`, onProgress: tell })
await space.settled()
process.stdout.write('done\n')
await replica.close()
