import type { Algorithm } from '../algorithm.ts'
import { KmsError } from '../error.ts'
import type { KeyVersion } from '../key.ts'
import { type AlgorithmChoice, chosenUse, type UseChoice, useOperation, type VersionInput } from '../operation.ts'
import type { SignInput as Signed } from '../ports.ts'
import { checkSignInput } from '../sign-input.ts'
import { verify as verifySignature } from '../verify.ts'
import type { VersionView } from '../view.ts'
import { otherVersions } from './other-versions.ts'

export type VerifyInput = VersionInput & {
  /** Default `verify`. */
  readonly use?: UseChoice | undefined
  readonly algorithm: AlgorithmChoice
  readonly input: Signed
  /** Canonical: raw r‖s for ECDSA. */
  readonly signature: Uint8Array
  readonly dryRun?: boolean | undefined
}
export type VerifyOutput = VersionView & { readonly algorithm: Algorithm; readonly valid: boolean }

/** A wrong signature is an answer here, not an error: dialects differ in how they say it. */
export const verify = useOperation<VerifyInput, VerifyOutput>({
  name: 'Verify',
  action: 'verify',
  use: (input, key) => chosenUse(input.use ?? 'verify', key),
  locate: (input) => input,
  algorithm: (input) => input.algorithm,
  async run(env, target, input) {
    const { algorithm } = target
    if (algorithm === undefined) throw new KmsError('internal')
    checkSignInput(target.handle.spec, algorithm, input.input)
    if (input.dryRun === true) return { output: { ...target, algorithm, valid: true } }
    const check = ({ spki, spec }: KeyVersion) => {
      if (spki === undefined) throw new KmsError('usage_mismatch', { usage: target.key.purpose, operation: 'Verify' })
      return verifySignature(spki, spec, algorithm, input.input, input.signature)
    }
    if (await check(target.version)) return { output: { ...target, algorithm, valid: true } }
    const others = input.version === undefined ? await otherVersions(env, target) : []
    for (const version of others) {
      if (await check(version)) return { output: { ...target, version, algorithm, valid: true }, subject: { version } }
    }
    return { output: { ...target, algorithm, valid: false } }
  },
})
