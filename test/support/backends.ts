/** Acceptance tests twice: with keys in software, and with a token as default backend. */
import t, { type Test } from 'tap'
import { type RunningTrefoil, type StartOptions, startTrefoil } from './process.ts'
import { softHsmMissing, startSoftHsm } from './softhsm.ts'

export type Place = {
  readonly hsm: boolean
  /** A server whose default backend it is. */
  start(options?: StartOptions): Promise<RunningTrefoil>
}

export function onEachBackend(name: string, body: (t: Test, place: Place) => Promise<void>): void {
  t.test(name, (t) => body(t, { hsm: false, start: startTrefoil }))
  t.test(`${name}; keys in a token`, { skip: softHsmMissing ?? false }, async (t) => {
    const hsm = await startSoftHsm()
    // Before the server's own, which the body adds: teardowns run the last one first.
    t.teardown(() => hsm.close())
    const start = (options: StartOptions = {}) =>
      startTrefoil({
        ...options,
        env: { ...hsm.env, ...options.env },
        config: { ...hsm.config, ...(options.config ?? {}) },
      })
    await body(t, { hsm: true, start })
  })
}
