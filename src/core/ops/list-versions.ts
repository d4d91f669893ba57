import type { KeyVersion } from '../key.ts'
import { type KeyInput, keyOperation } from '../operation.ts'
import type { KeyView } from '../view.ts'
import { checkExpected, type GetKeyInput } from './get-key.ts'
import type { Paging } from './list-keys.ts'

export type ListVersionsInput = KeyInput &
  Paging &
  Pick<GetKeyInput, 'expect'> & {
    readonly include?: (version: KeyVersion) => boolean
  }
export type VersionList = KeyView & {
  readonly versions: readonly KeyVersion[]
  readonly next?: string
  readonly total: number
}

/** The versions of a key, oldest first. */
export const listVersions = keyOperation<ListVersionsInput, VersionList>({
  name: 'ListVersions',
  action: 'list-versions',
  async run(env, target, input) {
    checkExpected(target, input.expect)
    const versions: KeyVersion[] = []
    let after = input.after
    do {
      const page = await env.store.page('versions', 'number', [target.key.id], after, input.limit - versions.length)
      versions.push(...page.rows.filter((version) => input.include?.(version) !== false))
      after = page.next
    } while (after !== undefined && versions.length < input.limit)
    const total = await env.store.count('versions', 'number', [target.key.id])
    return { output: { ...target, versions, total, ...(after !== undefined && { next: after }) } }
  },
})
