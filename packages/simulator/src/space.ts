/** All devices share one. */
export const SPACE = 'default'
