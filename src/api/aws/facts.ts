/** What a request says under AWS's condition keys: its members are called alike in every operation that has them. */
import type { Key } from '../../core/key.ts'
import { valuesUnder } from '../../core/policy/aws/context.ts'
import type { AwsFacts, Subject } from '../../core/policy/aws/facts.ts'
import type { ContextMap } from '../../core/policy/aws/grant.ts'
import type { KeyReference } from '../../core/reference.ts'
import { OPERATIONS } from './gen/operations.ts'
import { SHAPES } from './gen/shapes.ts'
import type { CreateGrantRequest, CreateKeyRequest, RecipientInfo, RetireGrantRequest, Tag } from './gen/types.ts'
import { grantToRetire, readConstraints } from './grants.ts'
import { isExpressible, parseKeyReference, wireOrigin, wireSpec, wireUsage } from './names.ts'
import { attestationCondition } from './recipient/index.ts'
import type { AwsContext } from './route.ts'

/** A request that was checked against the model: any member of any operation. */
export type Body = Readonly<Record<string, unknown>>
type Request = { readonly wire: string; readonly body: Body; readonly ctx: AwsContext }
type Value = string | readonly string[] | undefined
type Read = (request: Request, subject: Subject) => Value

const textOf = (value: unknown): string | undefined => (value === undefined ? undefined : String(value))
/** A member as it is, in whatever operation has it. */
const member =
  (name: string): Read =>
  ({ body }) =>
    textOf(body[name])
/** A member of some operations, with what it is when it is left out. */
const memberOf =
  (operations: readonly string[], name: string, absent?: string): Read =>
  ({ wire, body }) =>
    operations.includes(wire) ? (textOf(body[name]) ?? absent) : undefined
/** A fact of the key, or of the one that is to be made. */
const ofKey =
  (known: (key: Key) => string, wanted: (body: CreateKeyRequest) => string): Read =>
  ({ wire, body }, { key }) => {
    if (key !== undefined) return isExpressible(key) ? known(key) : undefined
    return wire === 'CreateKey' ? wanted(body as CreateKeyRequest) : undefined
  }

const SYMMETRIC = 'SYMMETRIC_DEFAULT'
const isFrom = (action: string): boolean => action === 're-encrypt-from'

const CONTEXT_OPERATIONS: ReadonlySet<string> = new Set(
  Object.entries(OPERATIONS).flatMap(([name, { input }]) =>
    'EncryptionContext' in SHAPES[input].members ? [name] : [],
  ),
)

function encryptionContext({ wire, body }: Request, action: string): ContextMap | undefined {
  if (wire === 'ReEncrypt') {
    const side = isFrom(action) ? body.SourceEncryptionContext : body.DestinationEncryptionContext
    return (side as ContextMap | undefined) ?? {}
  }
  if (!CONTEXT_OPERATIONS.has(wire)) return undefined
  return (body.EncryptionContext as ContextMap | undefined) ?? {}
}

const encryptionAlgorithm: Read = ({ wire, body }, { action }) => {
  if (wire === 'Encrypt' || wire === 'Decrypt') return textOf(body.EncryptionAlgorithm) ?? SYMMETRIC
  if (wire !== 'ReEncrypt') return CONTEXT_OPERATIONS.has(wire) ? SYMMETRIC : undefined
  return textOf(isFrom(action) ? body.SourceEncryptionAlgorithm : body.DestinationEncryptionAlgorithm) ?? SYMMETRIC
}

const contextNames: Read = (request, { action }) => {
  const context = encryptionContext(request, action)
  return context && Object.keys(context)
}

function namedKey({ wire, body }: Request, action: string): string | undefined {
  if (wire !== 'ReEncrypt') return textOf(body.KeyId)
  return textOf(isFrom(action) ? body.SourceKeyId : body.DestinationKeyId)
}

const requestAlias: Read = (request, { action }) => {
  const named = namedKey(request, action) ?? ''
  return named.startsWith('alias/') ? named : /^arn:[^:]*:kms:[^:]*:[^:]*:(alias\/.*)$/.exec(named)?.[1]
}

/** The service that the caller is. */
const viaService = ({ ctx }: Request): string | undefined =>
  ctx.identity?.service && `${ctx.identity.service}.${ctx.realm.region}.amazonaws.com`

const constraintTypes: Read = ({ wire, body }) =>
  wire === 'CreateGrant' ? Object.keys((body as CreateGrantRequest).Constraints ?? {}) : undefined
const grantOperations: Read = ({ wire, body }) =>
  wire === 'CreateGrant' ? (body as CreateGrantRequest).Operations : undefined

const tagsOf = ({ body }: Request): readonly Tag[] => (body.Tags as readonly Tag[] | undefined) ?? []
const tagNames: Read = (request) => {
  const { Tags: tags, TagKeys: names } = request.body
  return tags === undefined ? (names as readonly string[] | undefined) : tagsOf(request).map(({ TagKey }) => TagKey)
}

/** Operations that make a key. */
const MAKING: ReadonlySet<string> = new Set(['CreateKey', 'ReplicateKey'])
const SIGNING = ['Sign', 'Verify']
const POLICY = ['CreateKey', 'PutKeyPolicy', 'ReplicateKey']
const GRANT = ['CreateGrant']
const ON_GRANTS = ['CreateGrant', 'ListGrants', 'RevokeGrant']
const IMPORT = ['ImportKeyMaterial']

const specOf = ofKey(
  (key) => wireSpec(key.spec),
  ({ KeySpec: spec, CustomerMasterKeySpec: older }) => spec ?? older ?? SYMMETRIC,
)
const usageOf = ofKey(
  (key) => wireUsage(key.purpose),
  ({ KeyUsage: usage }) => usage ?? 'ENCRYPT_DECRYPT',
)

const CONDITIONS: ReadonlyMap<string, Read> = new Map<string, Read>([
  ['kms:bypasspolicylockoutsafetycheck', memberOf(POLICY, 'BypassPolicyLockoutSafetyCheck', 'false')],
  ['kms:keyspec', specOf],
  ['kms:customermasterkeyspec', specOf],
  ['kms:keyusage', usageOf],
  ['kms:customermasterkeyusage', usageOf],
  [
    'kms:keyorigin',
    ofKey(
      (key) => wireOrigin(key.origin, key.keyStore !== undefined),
      ({ Origin: origin }) => origin ?? 'AWS_KMS',
    ),
  ],
  [
    'kms:multiregion',
    ofKey(
      ({ multiRegion }) => String(multiRegion !== undefined),
      ({ MultiRegion: multi }) => String(multi ?? false),
    ),
  ],
  ['kms:multiregionkeytype', (_request, { key }) => key?.multiRegion?.role.toUpperCase()],
  ['kms:datakeypairspec', member('KeyPairSpec')],
  ['kms:encryptionalgorithm', encryptionAlgorithm],
  ['kms:encryptioncontextkeys', contextNames],
  ['kms:signingalgorithm', member('SigningAlgorithm')],
  ['kms:macalgorithm', member('MacAlgorithm')],
  ['kms:keyagreementalgorithm', member('KeyAgreementAlgorithm')],
  ['kms:encapsulationalgorithm', member('EncapsulationAlgorithm')],
  ['kms:messagetype', memberOf(SIGNING, 'MessageType', 'RAW')],
  ['kms:requestalias', requestAlias],
  ['kms:grantconstrainttype', constraintTypes],
  ['kms:grantoperations', grantOperations],
  ['kms:granteeprincipal', memberOf(GRANT, 'GranteePrincipal')],
  ['kms:retiringprincipal', memberOf(GRANT, 'RetiringPrincipal')],
  ['kms:viaservice', viaService],
  // Nobody else makes, lists or revokes grants for a resource of a service's.
  [
    'kms:grantisforawsresource',
    (request) => (ON_GRANTS.includes(request.wire) ? String(viaService(request) !== undefined) : undefined),
  ],
  ['kms:schedulekeydeletionpendingwindowindays', memberOf(['ScheduleKeyDeletion'], 'PendingWindowInDays', '30')],
  ['kms:rotationperiodindays', memberOf(['EnableKeyRotation'], 'RotationPeriodInDays', '365')],
  ['kms:wrappingalgorithm', member('WrappingAlgorithm')],
  ['kms:wrappingkeyspec', member('WrappingKeySpec')],
  ['kms:expirationmodel', memberOf(IMPORT, 'ExpirationModel', 'KEY_MATERIAL_EXPIRES')],
  ['kms:validto', memberOf(IMPORT, 'ValidTo')],
  ['kms:primaryregion', memberOf(['UpdatePrimaryRegion'], 'PrimaryRegion')],
  ['kms:replicaregion', memberOf(['ReplicateKey'], 'ReplicaRegion')],
  ['aws:tagkeys', tagNames],
  ['aws:sourceip', ({ ctx }) => ctx.transport?.address],
  ['aws:securetransport', ({ ctx }) => textOf(ctx.transport?.secure)],
  ['aws:useragent', ({ ctx }) => ctx.transport?.userAgent],
  ['aws:currenttime', ({ ctx }) => new Date(ctx.now).toISOString()],
  ['aws:epochtime', ({ ctx }) => String(Math.floor(ctx.now / 1000))],
  ['aws:requestedregion', ({ ctx }) => ctx.realm.region],
])

const ENCRYPTION_CONTEXT = 'kms:encryptioncontext:'
const REQUEST_TAG = 'aws:requesttag/'

function condition(name: string, request: Request, subject: Subject): Value {
  const read = CONDITIONS.get(name)
  if (read !== undefined) return read(request, subject)
  if (name.startsWith(ENCRYPTION_CONTEXT)) {
    const context = encryptionContext(request, subject.action)
    return context && valuesUnder(context, name.slice(ENCRYPTION_CONTEXT.length))
  }
  if (name.startsWith(REQUEST_TAG)) {
    const tags = Object.fromEntries(tagsOf(request).map(({ TagKey, TagValue }) => [TagKey, TagValue]))
    return valuesUnder(tags, name.slice(REQUEST_TAG.length))
  }
  return attestationCondition(name, request.body.Recipient as RecipientInfo | undefined, request.ctx)
}

function readGrant({ wire, body }: Request): AwsFacts['grant'] {
  if (wire !== 'CreateGrant') return undefined
  const { Operations: operations, Constraints: constraints } = body as CreateGrantRequest
  return { operations, constraints: readConstraints(constraints) }
}

function destinationOf({ wire, body, ctx }: Request): KeyReference | undefined {
  return wire === 'ReEncrypt' ? parseKeyReference(String(body.DestinationKeyId), ctx.realm) : undefined
}

/** The members that a decision may turn on are read when it asks. A class, because every request makes one. */
class RequestFacts implements AwsFacts {
  readonly #request: Request
  readonly alias: string | undefined
  readonly tags: boolean

  constructor(request: Request) {
    this.#request = request
    const { wire, body } = request
    this.alias = textOf(body.AliasName)
    this.tags = MAKING.has(wire) && tagsOf(request).length > 0
  }

  condition(name: string, subject: Subject): Value {
    return condition(name, this.#request, subject)
  }

  encryptionContext(action: string): ContextMap | undefined {
    return encryptionContext(this.#request, action)
  }

  isUnnamed(action: string): boolean {
    const { wire } = this.#request
    return (wire === 'Decrypt' || isFrom(action)) && namedKey(this.#request, action) === undefined
  }

  get resource(): string | undefined {
    const { wire, body } = this.#request
    return wire === 'ListRetirableGrants' ? textOf(body.RetiringPrincipal) : undefined
  }

  get grant(): AwsFacts['grant'] {
    return readGrant(this.#request)
  }

  get retires(): string | undefined {
    const { wire, body, ctx } = this.#request
    return wire === 'RetireGrant' ? grantToRetire(body as RetireGrantRequest, ctx.realm).id : undefined
  }

  get destination(): KeyReference | undefined {
    return destinationOf(this.#request)
  }
}

export const factsOf = (wire: string, body: Body, ctx: AwsContext): AwsFacts => new RequestFacts({ wire, body, ctx })

/** Who asks and how, for what a binding has to know before the kernel is asked. */
export const askerOf = (wire: string, body: Body, ctx: AwsContext) =>
  ctx.identity && { identity: ctx.identity, facts: factsOf(wire, body, ctx) }
