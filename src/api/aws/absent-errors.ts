/** Errors that AWS's model gives an operation and no request here is answered with, each with the reason. */
import type { ErrorShape } from './gen/errors.ts'
import { OPERATIONS, type OperationName } from './gen/operations.ts'

export type AbsentError = {
  readonly error: ErrorShape
  readonly operations: readonly OperationName[]
  readonly why: string
}

const having = (error: ErrorShape, unless: readonly OperationName[] = []): readonly OperationName[] =>
  (Object.keys(OPERATIONS) as OperationName[]).filter((name) => {
    const errors: readonly string[] = OPERATIONS[name].errors
    return errors.includes(error) && !unless.includes(name)
  })

/** What needs the material of a key that a token has. */
const IN_TOKEN = [
  'CreateKey',
  'Decrypt',
  'DeriveSharedSecret',
  'Encrypt',
  'GenerateDataKey',
  'GenerateDataKeyPair',
  'GenerateDataKeyPairWithoutPlaintext',
  'GenerateDataKeyWithoutPlaintext',
  'GenerateRandom',
  'ImportKeyMaterial',
  'ReEncrypt',
  'RotateKeyOnDemand',
  'Sign',
] as const satisfies readonly OperationName[]

export const ABSENT_ERRORS: readonly AbsentError[] = [
  {
    error: 'KMSInternalException',
    operations: having('KMSInternalException'),
    why: 'It answers a defect of Trefoil’s own, or damaged data; no request is known that provokes one.',
  },
  {
    error: 'DependencyTimeoutException',
    operations: having('DependencyTimeoutException', IN_TOKEN),
    why: 'The operation asks nothing that can be late: what it reads and writes is in the server’s own process.',
  },
  {
    error: 'KMSInvalidStateException',
    operations: [
      'DeleteAlias',
      'DeleteImportedKeyMaterial',
      'GetKeyPolicy',
      'GetKeyRotationStatus',
      'ListGrants',
      'ListKeyPolicies',
      'ListKeyRotations',
      'PutKeyPolicy',
      'RetireGrant',
      'RevokeGrant',
    ],
    why: 'The operation works on keys in every state.',
  },
  {
    error: 'InvalidArnException',
    operations: ['DescribeKey', 'GetPublicKey'],
    why: 'The operations take aliases, and an ARN that names no key is answered NotFoundException, as recorded from the service.',
  },
  {
    error: 'InvalidArnException',
    operations: ['CreateKey'],
    why: 'An ARN in a key policy that names nobody is refused with MalformedPolicyDocumentException, as in PutKeyPolicy.',
  },
  {
    error: 'InvalidAliasNameException',
    operations: ['CreateAlias'],
    why: 'Names that are no alias’s are answered ValidationException, as recorded from the service.',
  },
  {
    error: 'UnsupportedOperationException',
    operations: ['GetKeyRotationStatus'],
    why: 'Keys that are never rotated have the status false, as AWS documents.',
  },
  {
    error: 'UnsupportedOperationException',
    operations: ['PutKeyPolicy'],
    why: 'Every key takes a policy.',
  },
  {
    error: 'NotFoundException',
    operations: ['ListRetirableGrants'],
    why: 'A principal without grants has an empty list; whether it exists is not known here.',
  },
  { error: 'LimitExceededException', operations: ['EnableKey'], why: 'The number of enabled keys has no limit.' },
  {
    error: 'CloudHsmClusterInvalidConfigurationException',
    operations: ['ConnectCustomKeyStore', 'CreateCustomKeyStore', 'UpdateCustomKeyStore'],
    why: 'A token that stands in for a cluster has no subnets, security groups or number of HSMs; one that does not serve is CloudHsmClusterNotActiveException.',
  },
  {
    error: 'XksProxyVpcEndpointServiceInvalidConfigurationException',
    operations: ['CreateCustomKeyStore', 'UpdateCustomKeyStore'],
    why: 'An endpoint service is an entry of the configuration, which has no load balancer, zones or private DNS name to be wrong.',
  },
]

/** A table for people, by error. */
export const absentErrorsTable = (): string =>
  ['| error | operations | why |', '| --- | --- | --- |']
    .concat(
      ABSENT_ERRORS.toSorted((a, b) => (a.error < b.error ? -1 : 1)).map(
        ({ error, operations, why }) => `| \`${error}\` | ${namesOf(error, operations)} | ${why} |`,
      ),
    )
    .map((line) => `${line}\n`)
    .join('')

/** The shorter of a list and what is left out of it. */
function namesOf(error: ErrorShape, operations: readonly OperationName[]): string {
  const others = having(error, operations)
  if (others.length === 0) return 'all that have it'
  return others.length < operations.length ? `all but ${others.join(', ')}` : operations.join(', ')
}
