/** One operation of the Security Token Service. */
import type { Kernel } from '../../../core/kernel.ts'
import type { Call } from '../../../core/operation.ts'
import type { Caller, Identities } from '../auth.ts'
import type { Parameters } from './parameters.ts'
import type { Xml } from './xml.ts'

export type StsContext = {
  readonly kernel: Kernel
  readonly call: Call
  readonly caller: Caller
  readonly identities: Identities
  readonly now: number
  /** Of HTTP, for conditions. */
  readonly sourceIp: string | undefined
  readonly secure: boolean
}

export type StsBinding = {
  readonly wire: string
  /** Contents of `<wire>Result`. @throws StsError, KmsError */
  answer(parameters: Parameters, ctx: StsContext): Promise<readonly Xml[]>
}
