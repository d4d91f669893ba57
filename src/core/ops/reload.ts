import { realmOperation } from '../operation.ts'

/** What reading the configuration again came to. */
export type Reloaded = {
  /** Settings that are in force now, and were not before. */
  readonly changed: readonly string[]
  /** Settings that differ from those in force and take a restart. */
  readonly waiting: readonly string[]
}

/** Carried out by whoever holds the configuration; here so that it is decided on and recorded like all else. */
export const reloadSettings = realmOperation<{ reload(): Promise<Reloaded> }, Reloaded>({
  name: 'ReloadSettings',
  action: 'reload-settings',
  run: async (_env, _target, { reload }) => ({ output: await reload() }),
})
