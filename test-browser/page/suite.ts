import { JestAsymmetricMatchers, JestChaiExpect, JestExtend } from '@vitest/expect'
import * as chai from 'chai'

/** As much of Vitest as the suites of ports use, in a page. */
type Body = () => unknown

interface Case {
  readonly name: string
  readonly before: readonly Body[]
  readonly after: readonly Body[]
  readonly body: Body
}

chai.use(JestExtend)
chai.use(JestChaiExpect)
chai.use(JestAsymmetricMatchers)
export const { expect } = chai

const cases: Case[] = []
let group: { readonly name: string; readonly before: Body[]; readonly after: Body[] } = {
  name: '',
  before: [],
  after: [],
}

export function describe(name: string, body: () => void): void {
  const outer = group
  group = { name: `${outer.name}${name} > `, before: [...outer.before], after: [...outer.after] }
  body()
  group = outer
}
export const beforeEach = (body: Body): void => void group.before.push(body)
export const afterEach = (body: Body): void => void group.after.push(body)
export const test = (name: string, body: Body): void => {
  const { before, after } = group
  cases.push({ name: group.name + name, before, after, body })
}
export const it = test

/** @returns how many there were. @throws the first that fails, with its name. */
export async function runAll(): Promise<number> {
  for (const { name, before, after, body } of cases) {
    try {
      for (const step of before) await step()
      await body()
      for (const step of after) await step()
    } catch (error) {
      throw new Error(`${name}: ${(error as Error).message}`, { cause: error })
    }
  }
  return cases.length
}
