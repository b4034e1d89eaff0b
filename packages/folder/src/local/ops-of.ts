import type { UserOp } from '@tidemark/engine'
import type { FileStat } from '../ports/file-system.js'
import type { SyncedRow } from '../rows.js'
import type { Planned } from './commit-rows.js'
import { isExecutable } from './identity.js'
import type { ReadContent } from './read-content.js'

/** What an item is as writes of the space; none: it is as it was, but for its stamps. */
export function opsOf({ item, read, isUnread }: Planned, isImport: boolean): UserOp[] {
  switch (item.type) {
    case 'create':
      return [
        {
          type: 'create',
          ref: item.self?.ref ?? item.path,
          parent: item.dir.asParent,
          name: item.entryName,
          kind: item.stat.kind as 'file' | 'dir' | 'symlink',
          ...(read ? { content: read.content } : {}),
          ...(item.stat.kind === 'file' && isExecutable(read?.stat ?? item.stat) ? { executable: true } : {}),
          ...(isImport ? { import: true } : {}),
        },
      ]
    case 'verify':
      return changesOf(item.row, read)
    case 'move': {
      const move: UserOp = {
        type: 'move',
        entry: item.row.key,
        parent: item.dir.asParent,
        name: item.entryName,
        sawExecutable: item.row.entry.executable,
      }
      if (read) return [move, ...changesOf(item.row, read)]
      return isUnread ? [move] : [move, ...modeOf(item.row, item.stat)]
    }
    case 'delete':
      return item.isIgnored ? [] : [{ type: 'delete', entry: item.row.key }]
    case 'rebind':
      return []
  }
}

function changesOf(row: SyncedRow, read: ReadContent | undefined): UserOp[] {
  if (!read) return []
  const ops: UserOp[] = []
  if (row.entry.version?.root !== read.content.root)
    ops.push({
      type: 'edit',
      entry: row.key,
      content: read.content,
      sawExecutable: row.entry.executable,
    })
  return [...ops, ...modeOf(row, read.stat)]
}

function modeOf({ key, entry }: SyncedRow, stat: FileStat): UserOp[] {
  const executable = isExecutable(stat)
  return entry.kind === 'file' && entry.executable !== executable
    ? [{ type: 'attr', entry: key, executable, sawExecutable: entry.executable }]
    : []
}
