/** A rule of docs/invariants.md that a run broke. */
export class InvariantViolation extends Error {
  override readonly name = 'InvariantViolation'

  /** @param rule Its number in docs/invariants.md. */
  constructor(
    readonly rule: string,
    message: string,
  ) {
    super(`[${rule}] ${message}`)
  }
}

/** @throws {InvariantViolation} */
export function mustHold(holds: boolean, rule: string, message: () => string): asserts holds {
  if (!holds) throw new InvariantViolation(rule, message())
}
