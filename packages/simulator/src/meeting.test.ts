import { expect, test } from 'vitest'
import { replay } from './simulate.js'

/** More writes than her database sees until both files are settled. */
const WRITES_MAX = 28

/** She was away for too long, and compares all on her disk with what the hub has. */
const meeting = (writes: number, act: string): string => `
  devices ann bob
  bob create f
  wait 3000
  kill ann
  bob remove f
  wait 4500000
  ann create x.txt
  bob create x.txt
  wait 1000
  trap ann db ${writes} after
  start ann
  wait 5000
  kill ann
  ann ${act}
  start ann
  wait 5000
`

test.each(['remove x.txt', 'rename x.txt z'])(
  '[CR18] her program dies at any write while her file meets another of the same name, and then she does: %s',
  async (act) => {
    for (let writes = 0; writes < WRITES_MAX; writes++)
      expect((await replay(meeting(writes, act))).steps).toBeGreaterThan(5)
  },
)
