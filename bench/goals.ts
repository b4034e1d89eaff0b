/** What is aimed at on a machine of two cores; `bench/README.md` says the same. */
export const GOALS = {
  /** Of `rsync -a` over one hop. */
  smallFilesRatio: 2.5,
  bigFileRatio: 2,
  liveEditP50Ms: 25,
  growthBytesPerEntry: 100,
  replicaMib: 300,
} as const
