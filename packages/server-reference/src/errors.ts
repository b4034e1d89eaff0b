import { SyncError } from '@tidemark/protocol'

/** The hub's configuration is wrong or unsafe; it did not start. */
export class ConfigError extends SyncError {
  override readonly name = 'ConfigError'
  readonly retry = 'never'
  constructor(
    readonly code: 'INVALID_CONFIG' | 'UNSAFE_CONFIG',
    /** Name of the option. */
    readonly option: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(`${option}: ${message}`, options)
  }
}
