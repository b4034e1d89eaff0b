import type { ApplyContext } from '../../apply-context.js'

/** Rules that are known everywhere, and hide these places. */
export const rulesThatHide = (isIgnored: (path: string) => boolean): ApplyContext['rules'] => ({
  isIgnored,
  unread: () => undefined,
  made: () => {},
  removed: () => {},
  moved: () => {},
  touched: () => {},
})
