import { timingSafeEqual } from 'node:crypto'
import { type Algorithm, algorithmRow, HASH_BYTES } from '../algorithm.ts'
import { KmsError } from '../error.ts'

import { handleOf, type KeyVersion } from '../key.ts'
import { type AlgorithmChoice, chosenUse, type UseChoice, useOperation, type VersionInput } from '../operation.ts'

import type { VersionView } from '../view.ts'
import { otherVersions } from './other-versions.ts'

export type VerifyMacInput = VersionInput & {
  /** Default `mac_verify`. */
  readonly use?: UseChoice | undefined
  readonly algorithm: AlgorithmChoice
  readonly message: Uint8Array
  readonly mac: Uint8Array
  readonly dryRun?: boolean | undefined
}
export type VerifyMacOutput = VersionView & { readonly algorithm: Algorithm; readonly valid: boolean }

/** Bytes of the MACs that an algorithm makes: none is cut short. */
export function macBytes(algorithm: Algorithm): number {
  const row = algorithmRow(algorithm)
  if (row.op !== 'mac') throw new KmsError('internal')
  return HASH_BYTES[row.hash]
}

/** A wrong MAC, one of a wrong length included, is an answer here, not an error: dialects differ in how they say it. */
export const verifyMac = useOperation<VerifyMacInput, VerifyMacOutput>({
  name: 'VerifyMac',
  action: 'verify-mac',
  use: (input, key) => chosenUse(input.use ?? 'mac_verify', key),
  locate: (input) => input,
  algorithm: (input) => input.algorithm,
  async run(env, target, input) {
    const { algorithm } = target
    if (algorithm === undefined) throw new KmsError('internal')
    if (input.dryRun === true) return { output: { ...target, algorithm, valid: true } }
    if (input.mac.length !== macBytes(algorithm)) return { output: { ...target, algorithm, valid: false } }
    const holds = async (version: KeyVersion) => {
      const backend = env.backends.named(version.backend)
      const mac = await backend.mac(handleOf(target.ring, version), algorithm, input.message, env.call)
      return timingSafeEqual(mac, input.mac)
    }
    if (await holds(target.version)) return { output: { ...target, algorithm, valid: true } }
    const others = input.version === undefined ? await otherVersions(env, target) : []
    for (const version of others) {
      if (await holds(version)) return { output: { ...target, version, algorithm, valid: true }, subject: { version } }
    }
    return { output: { ...target, algorithm, valid: false } }
  },
})
