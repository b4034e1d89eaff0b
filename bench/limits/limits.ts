import type { Figure } from '../measure.js'
import { measureCutting, measureHashing } from './bytes.js'
import { measureRescan } from './rescan.js'
import { measureStoring } from './storing.js'

export interface LimitsOptions {
  /** Of a file that is hashed, cut and sent. */
  readonly bytes: number
  /** Of a folder that is scanned. */
  readonly files: number
}

/** How near the parts come to what this machine does at most, measured in the same run. */
export async function measureLimits({ bytes, files }: LimitsOptions): Promise<Figure[]> {
  return [
    ...measureHashing(),
    ...(await measureCutting(bytes)),
    ...(await measureStoring(bytes)),
    ...(await measureRescan(files)),
  ]
}
