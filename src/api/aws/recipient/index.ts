/** Answers for an enclave alone: what would be sent in clear is sealed to the key that its attestation document names. */
import { unsupported, validationError } from '../aws-error.ts'
import type { RecipientInfo } from '../gen/types.ts'
import type { AwsContext } from '../route.ts'
import { type Attested, verifyAttestation } from './attestation.ts'
import { envelopFor } from './enveloped-data.ts'

/** A document is checked once for the request that brought it. */
const checked = new WeakMap<RecipientInfo, Attested>()

/** @throws AwsError for a document that proves nothing, and where no root is configured */
export function attest(recipient: RecipientInfo | undefined, { settings, now }: AwsContext): Attested | undefined {
  if (recipient === undefined) return undefined
  const known = checked.get(recipient)
  if (known !== undefined) return known
  // Ignoring it would send in clear what was to be sealed.
  if (settings.attestationRoots.length === 0) throw unsupported('Recipient is not supported.')
  const { AttestationDocument: document, KeyEncryptionAlgorithm: algorithm } = recipient
  if (document === undefined || algorithm === undefined) {
    throw validationError('Recipient needs both KeyEncryptionAlgorithm and AttestationDocument.')
  }
  const attested = verifyAttestation(document, settings.attestationRoots, now)
  checked.set(recipient, attested)
  return attested
}

/** The secret part of an answer under its own member, or sealed for the enclave that asked. */
export function secretMember<N extends string>(
  member: N,
  secret: Uint8Array,
  recipient: RecipientInfo | undefined,
  ctx: AwsContext,
): { readonly [M in N | 'CiphertextForRecipient']?: Uint8Array } {
  const attested = attest(recipient, ctx)
  const sealed =
    attested === undefined ? { [member]: secret } : { CiphertextForRecipient: envelopFor(attested.publicKey, secret) }
  return sealed as { readonly [M in N | 'CiphertextForRecipient']?: Uint8Array }
}

const PREFIX = 'kms:recipientattestation:'
/** Value of a condition key, whose name is in lower case (kms:RecipientAttestation:ImageSha384 and :PCR<n>). */
export function attestationCondition(name: string, recipient: RecipientInfo | undefined, ctx: AwsContext) {
  if (!name.startsWith(PREFIX)) return undefined
  const pcrs = attest(recipient, ctx)?.pcrs
  const which = name.slice(PREFIX.length)
  if (which === 'imagesha384') return pcrs?.get(0)
  const [, index] = /^pcr(\d{1,2})$/.exec(which) ?? []
  return index === undefined ? undefined : pcrs?.get(Number(index))
}
