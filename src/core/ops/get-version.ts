import { type VersionInput, versionOperation } from '../operation.ts'
import type { VersionView } from '../view.ts'
import { checkExpected, type GetKeyInput } from './get-key.ts'

export type GetVersionInput = VersionInput & Pick<GetKeyInput, 'expect'>

/** @throws KmsError version_not_found, key_unavailable, key_pending_deletion, key_not_pending_deletion */
export const getVersion = versionOperation<GetVersionInput, VersionView>({
  name: 'GetVersion',
  action: 'get-version',
  async run(_env, target, input) {
    checkExpected(target, input.expect)
    return { output: target }
  },
})
