import type { KeyVersion } from '../key.ts'
import { type KeyInput, keyOperation } from '../operation.ts'
import type { KeyView, VersionView } from '../view.ts'
import { checkExpected, type GetKeyInput } from './get-key.ts'
import { MAX_SCAN, type Paging } from './list-keys.ts'

export type ListVersionsInput = KeyInput &
  Paging &
  Pick<GetKeyInput, 'expect'> & {
    readonly include?: (version: KeyVersion) => boolean
    /** Which of those the caller asks for. */
    readonly matches?: (view: VersionView) => boolean
  }
export type VersionList = KeyView & {
  readonly versions: readonly KeyVersion[]
  readonly next?: string
  /** Where it was asked for. */
  readonly total?: number
}

/** The versions of a key, oldest first. */
export const listVersions = keyOperation<ListVersionsInput, VersionList>({
  name: 'ListVersions',
  action: 'list-versions',
  async run(env, target, input) {
    checkExpected(target, input.expect)
    const versions: KeyVersion[] = []
    const wanted = (version: KeyVersion): boolean =>
      input.include?.(version) !== false && input.matches?.({ ...target, version }) !== false
    let after = input.after
    let scanned = 0
    do {
      const limit = input.limit - versions.length
      const page = await env.store.page('versions', 'number', [target.key.id], after, limit, input.order)
      scanned += page.rows.length
      versions.push(...page.rows.filter(wanted))
      after = page.next
    } while (after !== undefined && versions.length < input.limit && scanned < MAX_SCAN)
    const total = input.counted === true ? { total: await env.store.count('versions', 'number', [target.key.id]) } : {}
    return { output: { ...target, versions, ...total, ...(after !== undefined && { next: after }) } }
  },
})
