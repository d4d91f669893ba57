import { specRow } from '../../../core/algorithm.ts'
import { digestHash } from '../../../core/checks.ts'
import { invalidArgument } from '../../../core/error.ts'
import type { KeyVersion } from '../../../core/key.ts'
import { sign } from '../../../core/ops/sign.ts'
import type { SignInput } from '../../../core/ports.ts'
import { formsOf } from '../../../core/sign-input.ts'
import { rawToDer } from '../../codec/ecdsa-der.ts'
import { algorithmInUse, GcpPurpose, protectionOf } from '../algorithms.ts'
import { bind } from '../binding.ts'
import { checkSize, checksumOf, verifyChecksum } from '../checksums.ts'
import { type AsymmetricSignRequest, type Digest, KeyManagementService } from '../gen/google/cloud/kms/v1/service_pb.js'
import { parseVersion, renderVersion, versionTarget } from '../names.ts'
import { badField } from '../status.ts'

const DIGEST_BYTES = { sha256: 32, sha384: 48, sha512: 64, externalMu: 64 } as const
type ReadyDigest = { readonly kind: keyof typeof DIGEST_BYTES; readonly value: Uint8Array }

function readDigest({ digest }: Digest): ReadyDigest {
  if (digest.case === undefined) throw badField('digest', 'The digest field names no digest.')
  const expected = DIGEST_BYTES[digest.case]
  const { length } = digest.value
  const field = digest.case === 'externalMu' ? 'digest.external_mu' : `digest.${digest.case}`
  if (length !== expected)
    throw badField(field, `The ${field} field is ${length} bytes long; ${expected} are required.`)
  return { kind: digest.case, value: digest.value }
}

function inputOf(digest: ReadyDigest | undefined, data: Uint8Array): SignInput {
  if (digest === undefined) return { message: data }
  return digest.kind === 'externalMu' ? { mu: digest.value } : { digest: digest.value }
}

/** The version's own algorithm, where the request gives what that algorithm signs. */
const algorithmFor = (request: AsymmetricSignRequest) => (version: KeyVersion) => {
  const algorithm = algorithmInUse(GcpPurpose.ASYMMETRIC_SIGN, version)
  const forms = formsOf(algorithm)
  const wanted = forms.includes('mu') ? 'externalMu' : digestHash(algorithm)
  const given = request.digest?.digest.case
  if (given === undefined && request.data.length === 0) {
    throw invalidArgument('digest', 'one of the fields digest and data is required')
  }
  if (given === undefined ? !forms.includes('message') : given !== wanted) {
    const reason = wanted === undefined ? 'signs data, not digests' : `requires a ${wanted} digest`
    throw invalidArgument('digest', `the algorithm of the CryptoKeyVersion ${reason}`)
  }
  return algorithm
}

export const asymmetricSignBinding = bind(KeyManagementService.method.asymmetricSign, {
  operation: sign,
  permission: 'cloudkms.cryptoKeyVersions.useToSign',
  resource: ({ name }) => parseVersion('name', name),
  toInput(request) {
    const digest = request.digest && readDigest(request.digest)
    if (digest !== undefined && request.data.length > 0) {
      throw badField('digest', 'Only one of the fields digest and data may be given.')
    }
    checkSize('data', request.data)
    verifyChecksum('digest', digest?.value ?? new Uint8Array(0), request.digestCrc32c)
    verifyChecksum('data', request.data, request.dataCrc32c)
    return {
      ...versionTarget(parseVersion('name', request.name)),
      algorithm: algorithmFor(request),
      input: inputOf(digest, request.data),
    }
  },
  toOutput({ ring, key, version, signature: canonical }, request, ctx) {
    const signature = specRow(version.spec).type === 'ec' ? rawToDer(canonical) : canonical
    return {
      name: renderVersion(ring, key, version, ctx),
      signature,
      signatureCrc32c: checksumOf(signature),
      verifiedDigestCrc32c: request.digestCrc32c !== undefined,
      verifiedDataCrc32c: request.dataCrc32c !== undefined,
      protectionLevel: protectionOf(key),
    }
  },
})
