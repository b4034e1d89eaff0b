import type { ViewEntry } from '@tidemark/engine'
import type { SyncedRow } from './rows.js'

/** The name on disk that an entry wants: a spelling with the same NFC form stays as it is. */
export function wantedLocalName(row: SyncedRow | undefined, want: ViewEntry): string {
  return row && row.localName.normalize('NFC') === want.name ? row.localName : want.name
}
