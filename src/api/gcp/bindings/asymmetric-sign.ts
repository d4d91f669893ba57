import { specRow } from '../../../core/algorithm.ts'
import { digestHash } from '../../../core/checks.ts'
import { invalidArgument, KmsError } from '../../../core/error.ts'
import type { KeyVersion } from '../../../core/key.ts'
import { sign } from '../../../core/ops/sign.ts'
import { rawToDer } from '../../codec/ecdsa-der.ts'
import { algorithmOf, GcpPurpose, protectionOf } from '../algorithms.ts'
import { bind } from '../binding.ts'
import { checkSize, checksumOf, verifyChecksum } from '../checksums.ts'
import { type AsymmetricSignRequest, type Digest, KeyManagementService } from '../gen/google/cloud/kms/v1/service_pb.js'
import { parseVersion, renderVersion, versionTarget } from '../names.ts'
import { badArgument, RpcError } from '../status.ts'

const DIGEST_BYTES = { sha256: 32, sha384: 48, sha512: 64 } as const
type ReadyDigest = { readonly kind: keyof typeof DIGEST_BYTES; readonly value: Uint8Array }

function readDigest({ digest }: Digest): ReadyDigest {
  if (digest.case === undefined) throw badArgument('The digest field names no digest.')
  if (digest.case === 'externalMu') throw new RpcError('UNIMPLEMENTED', 'The external_mu digest is not supported.')
  if (digest.value.length !== DIGEST_BYTES[digest.case]) {
    throw badArgument(
      `The digest.${digest.case} field is ${digest.value.length} bytes long; ${DIGEST_BYTES[digest.case]} are required.`,
    )
  }
  return { kind: digest.case, value: digest.value }
}

/**
 * The version's own algorithm, where the request gives what that algorithm signs. Asked by the kernel, which knows the
 * core's errors alone.
 */
const algorithmFor = (request: AsymmetricSignRequest) => (version: KeyVersion) => {
  const algorithm = algorithmOf(GcpPurpose.ASYMMETRIC_SIGN, version)?.algorithm
  if (algorithm === undefined) throw new KmsError('algorithm_mismatch', { algorithm: 'sign', spec: version.spec })
  const hash = digestHash(algorithm)
  const given = request.digest?.digest.case
  if (given !== undefined && given !== hash) {
    const reason = hash === undefined ? 'signs data, not digests' : `requires a ${hash} digest`
    throw invalidArgument('digest', `the algorithm of the CryptoKeyVersion ${reason}`)
  }
  if (given === undefined && hash !== undefined && request.data.length === 0) {
    throw invalidArgument('digest', 'one of the fields digest and data is required')
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
      throw badArgument('Only one of the fields digest and data may be given.')
    }
    checkSize('data', request.data)
    verifyChecksum('digest', digest?.value ?? new Uint8Array(0), request.digestCrc32c)
    verifyChecksum('data', request.data, request.dataCrc32c)
    return {
      ...versionTarget(parseVersion('name', request.name)),
      algorithm: algorithmFor(request),
      input: digest === undefined ? { message: request.data } : { digest: digest.value },
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
