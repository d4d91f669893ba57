/** Operations that change facts of a key and nothing of its material: descriptions, tags, policies. */
import type { Dialect, Key, KeyState } from '../key.ts'
import { type Env, type KeyInput, type KeyOperation, keyOperation } from '../operation.ts'
import type { KeyView } from '../view.ts'

type KeyChange<I extends KeyInput> = {
  readonly name: string
  readonly action: string
  readonly states?: readonly KeyState[]
  /** The fields that change; it may throw a KmsError. */
  change(key: Key, input: I, env: Env): Partial<Key>
}

/** An operation that writes `change` into the key and answers with what it has become. */
export const keyChange = <I extends KeyInput>({ change, ...operation }: KeyChange<I>): KeyOperation<I, KeyView> =>
  keyOperation<I, KeyView>({
    ...operation,
    async run(env, target, input) {
      const { revision, ...old } = target.key
      const key: Key = { ...old, ...change(old, input, env), updatedAt: env.now }
      return { output: { ...target, key }, writes: [{ kind: 'update', collection: 'keys', row: key, revision }] }
    },
  })

/** One dialect's tags replaced, the others' kept. */
export const withTags = (key: Key, dialect: Dialect, tags: Readonly<Record<string, string>>): Partial<Key> => ({
  tags: { ...key.tags, [dialect]: tags },
})
