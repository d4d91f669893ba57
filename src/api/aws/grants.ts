/** What the operations on grants share: which operations a key can be granted, constraints, principals, and lists. */
import { isAsymmetric } from '../../core/algorithm.ts'
import { invalidArgument } from '../../core/error.ts'
import type { Key } from '../../core/key.ts'
import type { GrantList } from '../../core/ops/grants.ts'
import { rootArn } from '../../core/policy/aws/arn.ts'
import type { GrantConstraints as Constraints, ContextMap, Grant } from '../../core/policy/aws/grant.ts'
import { isPrincipalArn } from '../../core/policy/aws/principal.ts'
import { AwsError, validationError } from './aws-error.ts'
import type { GrantConstraints, GrantListEntry, GrantOperation, KeyUsageType, RetireGrantRequest } from './gen/types.ts'
import { readGrantToken } from './grant-token.ts'
import { pageEnd } from './marker.ts'
import { type AwsAddress, inAccount, parseKeyIdOrArn, wireUsage } from './names.ts'
import { seconds } from './render-key-metadata.ts'

const ALWAYS = ['CreateGrant', 'DescribeKey', 'RetireGrant'] as const
const SYMMETRIC = [
  'Decrypt',
  'Encrypt',
  'GenerateDataKey',
  'GenerateDataKeyPair',
  'GenerateDataKeyPairWithoutPlaintext',
  'GenerateDataKeyWithoutPlaintext',
  'ReEncryptFrom',
  'ReEncryptTo',
] as const
/** Of asymmetric keys and MAC keys. */
const BY_USAGE = {
  ENCRYPT_DECRYPT: ['Decrypt', 'Encrypt', 'GetPublicKey', 'ReEncryptFrom', 'ReEncryptTo'],
  SIGN_VERIFY: ['GetPublicKey', 'Sign', 'Verify'],
  GENERATE_VERIFY_MAC: ['GenerateMac', 'VerifyMac'],
  KEY_AGREEMENT: ['DeriveSharedSecret', 'GetPublicKey'],
  ENCAPSULATE_DECAPSULATE: ['Decapsulate', 'Encapsulate', 'GetPublicKey'],
} as const satisfies Record<KeyUsageType, readonly GrantOperation[]>

const hasContext = ({ spec, purpose }: Key): boolean => purpose === 'encrypt_decrypt' && !isAsymmetric(spec)
const grantable = (key: Key): readonly GrantOperation[] =>
  hasContext(key) ? SYMMETRIC : BY_USAGE[wireUsage(key.purpose)]

type Wanted = { readonly operations: readonly GrantOperation[]; readonly constraints: Constraints }

/** Whether the key can do what is to be granted. @throws KmsError invalid_argument */
export function checkGrantable(key: Key, { operations, constraints }: Wanted): void {
  const able: ReadonlySet<GrantOperation> = new Set([...ALWAYS, ...grantable(key)])
  const unable = operations.find((operation) => !able.has(operation))
  if (unable !== undefined) {
    throw invalidArgument('operations', `${unable} is not supported for key usage ${wireUsage(key.purpose)}`)
  }
  if (Object.keys(constraints).length > 0 && !hasContext(key)) {
    throw invalidArgument('constraints', 'they are only supported for symmetric encryption keys')
  }
}

/** AWS's limits of a constraint. */
const MAX_PAIRS = 8
const MAX_CHARACTERS = 384

function checkConstraint(name: keyof GrantConstraints, context: ContextMap): void {
  const pairs = Object.entries(context)
  if (pairs.length > MAX_PAIRS) throw validationError(`${name} can have at most ${MAX_PAIRS} pairs.`)
  if (pairs.flat().join('').length > MAX_CHARACTERS) {
    throw validationError(`${name} can have at most ${MAX_CHARACTERS} characters.`)
  }
}

/** @throws AwsError */
export function readConstraints(wire: GrantConstraints | undefined): Constraints {
  const { EncryptionContextEquals: equals, EncryptionContextSubset: subset } = wire ?? {}
  if (equals !== undefined) checkConstraint('EncryptionContextEquals', equals)
  if (subset !== undefined) checkConstraint('EncryptionContextSubset', subset)
  return { ...(equals && { equals }), ...(subset && { subset }) }
}

/** @throws AwsError InvalidArnException */
export function checkPrincipal(arn: string | undefined): void {
  if (arn !== undefined && !isPrincipalArn(arn)) {
    throw new AwsError('InvalidArnException', `ARN does not refer to a valid principal: ${arn}`)
  }
}

const GRANT_ID = /^[0-9a-f]{1,64}$/

/** @throws AwsError InvalidGrantIdException for what is no grant's id */
export function checkGrantId(id: string): void {
  if (!GRANT_ID.test(id)) throw new AwsError('InvalidGrantIdException')
}

/** @throws AwsError where the request names no grant, or names it twice */
export function grantToRetire(
  { GrantToken: token, KeyId: keyId, GrantId: id }: RetireGrantRequest,
  address: AwsAddress,
) {
  if (token === undefined && keyId !== undefined && id !== undefined) {
    checkGrantId(id)
    return { key: parseKeyIdOrArn(keyId, address), id }
  }
  if (token === undefined || keyId !== undefined || id !== undefined) {
    throw validationError('Grant token OR (grant ID, key ID) must be specified')
  }
  const named = readGrantToken(token)
  const key = { by: 'id', id: named.keyId } as const
  const { account, region } = address
  return { key: named.account === account ? key : inAccount(key, named.account, region), id: named.id }
}

function renderGrant(grant: Grant): GrantListEntry {
  const { equals, subset } = grant.constraints
  const constraints = {
    ...(equals && { EncryptionContextEquals: equals }),
    ...(subset && { EncryptionContextSubset: subset }),
  }
  return {
    KeyId: grant.arn,
    GrantId: grant.id,
    Name: grant.name,
    CreationDate: seconds(grant.createdAt),
    GranteePrincipal: grant.grantee,
    RetiringPrincipal: grant.retiring,
    IssuingAccount: rootArn({ account: grant.issuer, region: grant.region }),
    // What is stored was checked against the model.
    Operations: grant.operations as readonly GrantOperation[],
    ...(Object.keys(constraints).length > 0 && { Constraints: constraints }),
  }
}

export const PAGE = { byDefault: 50, max: 100 } as const

export const renderGrants = (list: string, { grants, next }: GrantList) => ({
  Grants: grants.map(renderGrant),
  ...pageEnd(list, next),
})
