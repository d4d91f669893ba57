import { KmsError } from '../error.ts'
import type { Key } from '../key.ts'
import type { Env, KeyInput } from '../operation.ts'
import { dialectOf } from './material.ts'
import { keyChange, withTags } from './update-key.ts'

/** Facts of a key that waits for its deletion stay as they are; its policy alone may change (as AWS documents). */
function checkLive(key: Key): void {
  if (key.state === 'pending_deletion' || key.state === 'pending_replica_deletion') {
    throw new KmsError('key_pending_deletion', { state: key.state })
  }
}

/** @throws KmsError key_pending_deletion */
export const setDescription = keyChange<KeyInput & { readonly description: string }>({
  name: 'SetDescription',
  action: 'set-description',
  change(key, { description }) {
    checkLive(key)
    return { description }
  },
})

export type TagKeyInput = KeyInput & {
  readonly tags: Readonly<Record<string, string>>
  /** Most tags that a key may have. */
  readonly limit: number
}

const tagsOf = (key: Key, env: Env) => key.tags[dialectOf(env)]

/** Adds to the calling dialect's tags, or gives them new values. @throws KmsError key_pending_deletion, limit_exceeded */
export const tagKey = keyChange<TagKeyInput>({
  name: 'TagKey',
  action: 'tag-key',
  change(key, input, env) {
    checkLive(key)
    const tags = { ...tagsOf(key, env), ...input.tags }
    if (Object.keys(tags).length > input.limit) throw new KmsError('limit_exceeded', { limit: `${input.limit} tags` })
    return withTags(key, dialectOf(env), tags)
  },
})

/** Names that there are no tags of are no error. @throws KmsError key_pending_deletion */
export const untagKey = keyChange<KeyInput & { readonly names: readonly string[] }>({
  name: 'UntagKey',
  action: 'untag-key',
  change(key, { names }, env) {
    checkLive(key)
    const tags = Object.entries(tagsOf(key, env)).filter(([name]) => !names.includes(name))
    return withTags(key, dialectOf(env), Object.fromEntries(tags))
  },
})

/** In any state, so that access to a key can be taken away while it waits for its deletion. */
export const putKeyPolicy = keyChange<KeyInput & { readonly awsPolicy: string }>({
  name: 'PutKeyPolicy',
  action: 'put-key-policy',
  change: (_key, { awsPolicy }) => ({ awsPolicy }),
})
