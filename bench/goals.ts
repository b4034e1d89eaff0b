/** What is aimed at on a machine of two cores; `bench/README.md` says the same. */
export const GOALS = {
  /** Of `rsync -a` over one hop. */
  smallFilesRatio: 2.5,
  bigFileRatio: 2,
  liveEditP50Ms: 25,
  growthBytesPerEntry: 100,
  replicaMib: 300,
  /** Of a huge file, for each kill. */
  sentAgainMib: 64,
  resumeS: 5,
  /** Of an edit of a large file: the median, the most, and the most in average chunks. */
  chunksPerEdit: 2,
  chunksPerEditMax: 6,
  chunkBytesPerEdit: 8,
  /** At least: of what the machine does at most, and in GiB/s. */
  hashOfOpenssl: 0.9,
  rescanOfLook: 0.5,
  cutGibPerS: 0.72,
  storedGibPerS: 0.3,
} as const
