import { isShown, type Key, type KeyRing } from '../key.ts'
import { realmOperation } from '../operation.ts'
import { foldName } from '../schema.ts'

type TestInput = { readonly ring: string; readonly key: string | undefined; readonly permissions: readonly string[] }

/** Which of the permissions the caller has; none on what is not there. Anybody may ask. */
export const testPermissions = realmOperation<TestInput, readonly string[]>({
  name: 'TestPermissions',
  action: 'test-permissions',
  async run({ store, call, elsewhere }, { realm }, { ring: ringName, key: keyName, permissions }) {
    const ring: KeyRing | undefined = await store.find('rings', 'name', [realm.id, ringName])
    if (ring === undefined || !isShown(ring, call.dialect)) return { output: [] }
    if (keyName === undefined) return { output: await elsewhere.held(permissions, { realm, ring }) }
    const key: Key | undefined = await store.find('keys', 'name', [ring.id, foldName(keyName)])
    if (key?.name !== keyName || call.expresses?.(key) === false) return { output: [] }
    return { output: await elsewhere.held(permissions, { realm, ring, key }) }
  },
})
