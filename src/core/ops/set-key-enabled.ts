import { type Key, type KeyVersion, toKeyState, toVersionState } from '../key.ts'
import { type KeyInput, keyOperation } from '../operation.ts'
import type { Write } from '../ports.ts'
import type { KeyView } from '../view.ts'
import { unrevised } from './all-versions.ts'

/**
 * Makes the key usable: the key as a whole, and its current version where that alone was disabled, so that enabling in
 * one dialect undoes disabling in another (docs/adr/008).
 * @throws KmsError key_pending_deletion, key_unavailable
 */
export const enableKey = keyOperation<KeyInput, KeyView>({
  name: 'EnableKey',
  action: 'enable-key',
  states: ['enabled', 'disabled'],
  async run(env, target) {
    const { revision, ...old } = target.key
    const key: Key = toKeyState(old, 'enabled', env.now)
    const writes: Write[] = [{ kind: 'update', collection: 'keys', row: key, revision }]
    let current: KeyVersion | undefined = target.current
    if (target.current?.state === 'disabled') {
      current = toVersionState(unrevised(target.current), 'enabled', env.now)
      writes.push({ kind: 'update', collection: 'versions', row: current, revision: target.current.revision })
    }
    return { output: { ...target, key, current }, writes }
  },
})

/** @throws KmsError key_pending_deletion, key_unavailable */
export const disableKey = keyOperation<KeyInput, KeyView>({
  name: 'DisableKey',
  action: 'disable-key',
  states: ['enabled', 'disabled'],
  async run(env, target) {
    const { revision, ...old } = target.key
    const key = toKeyState(old, 'disabled', env.now)
    return { output: { ...target, key }, writes: [{ kind: 'update', collection: 'keys', row: key, revision }] }
  },
})
