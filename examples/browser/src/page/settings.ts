/** What the user has to say once. */
export interface Settings {
  readonly hub: string
  readonly token: string
  readonly space: string
  /** Bytes of files that are added here are kept here, too. */
  readonly keepsBytes: boolean
}

const KEY = 'tidemark-settings'

export function loadSettings(): Settings | undefined {
  const text = localStorage.getItem(KEY)
  return text === null ? undefined : (JSON.parse(text) as Settings)
}

/** The token is kept as it is: whoever uses this browser can read it. */
export const saveSettings = (settings: Settings): void => localStorage.setItem(KEY, JSON.stringify(settings))

export const forgetSettings = (): void => localStorage.removeItem(KEY)
