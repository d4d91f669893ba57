/** What an AWS request has to be allowed, and whether the policies and grants in question allow it. */
import { andThen, type Eventually } from '../../eventually.ts'
import type { Key } from '../../key.ts'
import { Lru } from '../../lru.ts'
import type { AccessRequest, AwsIdentity, Decision, Store } from '../../ports.ts'
import type { Evaluator } from '../modes.ts'
import { type AwsAddress, aliasArn, arnOfKey, keyArn, rootArn } from './arn.ts'
import { callerOf, keyPolicyOf } from './compiled.ts'
import { type ContextSource, contextOf, variablesOf } from './context.ts'
import { decideByGrants, decideByPolicies, describeDenial, type Query, type Verdict } from './decide.ts'
import { defaultPolicy } from './default-policy.ts'
import type { Policy } from './document.ts'
import { ALIASES, lookUp, SAME_KEY } from './look-up.ts'
import { namesOf } from './principal.ts'
import { decideRetiring } from './retiring.ts'

/** One thing that has to be allowed. */
export type Check = {
  /** The action without its `kms:`. */
  readonly operation: string
  readonly resource: string
  /** Account of the resource. */
  readonly account: string
  readonly key: Key | undefined
  /** Undefined: the resource has none. */
  readonly policy: Policy | undefined
}

/** All other actions are called as their operation is on the wire. */
const ACTIONS: ReadonlyMap<string, string> = new Map([
  // Of a replica as well, in its own Region.
  ['create-key', 'CreateKey'],
  ['re-encrypt-from', 'ReEncryptFrom'],
  ['re-encrypt-to', 'ReEncryptTo'],
])
/** What AWS lets callers do with keys of other accounts. */
const SHARED: ReadonlySet<string> = new Set([
  'CreateGrant',
  'Decapsulate',
  'Decrypt',
  'DeriveSharedSecret',
  'DescribeKey',
  'Encapsulate',
  'Encrypt',
  'GenerateDataKey',
  'GenerateDataKeyPair',
  'GenerateDataKeyPairWithoutPlaintext',
  'GenerateDataKeyWithoutPlaintext',
  'GenerateMac',
  'GetKeyRotationStatus',
  'GetPublicKey',
  'ListGrants',
  'ReEncryptFrom',
  'ReEncryptTo',
  'RetireGrant',
  'RevokeGrant',
  'Sign',
  'Verify',
  'VerifyMac',
])
/** Decided on as a whole, even where they name a key. */
const UNSPECIFIC: ReadonlySet<string> = new Set(['ListAliases'])

const LOOKED_UP = [ALIASES, SAME_KEY]

const NOWHERE: AwsAddress = { account: '', region: '' }
const ALLOW: Decision = { allow: true }
const UNKNOWN: Extract<Verdict, { allow: false }> = { allow: false, explicit: false, source: undefined }
/** Recorded from the service: it says so of a key that a ciphertext alone names. */
export const UNNAMED =
  'The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.'

const addressOf = ({ realm }: AccessRequest): AwsAddress => realm?.aws ?? NOWHERE

const defaults = new Lru<Policy>(1024)
function defaultOf(address: AwsAddress): Policy {
  const root = rootArn(address)
  const known = defaults.get(root)
  if (known !== undefined) return known
  const policy = keyPolicyOf(defaultPolicy(root))
  defaults.set(root, policy)
  return policy
}

type KeyFacts = Pick<Check, 'resource' | 'policy'>

/** Rows are immutable, and the same object while they are kept at hand. */
const keys = new WeakMap<Key, KeyFacts>()
function factsOf(key: Key, address: AwsAddress): KeyFacts {
  const known = keys.get(key)
  if (known !== undefined) return known
  const policy = key.awsPolicy === undefined ? defaultOf(address) : keyPolicyOf(key.awsPolicy)
  const facts = { resource: arnOfKey(address, key), policy }
  keys.set(key, facts)
  return facts
}

function keyCheck(operation: string, key: Key, address: AwsAddress): Check {
  const { resource, policy } = factsOf(key, address)
  return { operation, resource, account: address.account, key, policy }
}

const ownCheck = (operation: string, resource: string, account: string): Check => ({
  operation,
  resource,
  account,
  key: undefined,
  policy: undefined,
})

/** The resource as the caller named it, since there is none. */
function missingCheck(operation: string, { missing }: AccessRequest, own: AwsAddress): Check {
  const address = missing?.realm?.dialect === 'aws' ? missing.realm : own
  const resource =
    missing?.by === 'id' || missing?.by === 'multi_region'
      ? keyArn(address, missing.id)
      : missing?.by === 'alias'
        ? aliasArn(address, missing.name)
        : keyArn(address, '*')
  return ownCheck(operation, resource, address.account)
}

function mainCheck(request: AccessRequest): Check {
  const { action, wire, key, missing, aws } = request
  const operation = ACTIONS.get(action) ?? wire
  const address = addressOf(request)
  if (missing !== undefined) return missingCheck(operation, request, address)
  if (key !== undefined && !UNSPECIFIC.has(operation)) return keyCheck(operation, key, address)
  if (key === undefined && aws?.alias !== undefined) {
    return ownCheck(operation, aliasArn(address, aws.alias), address.account)
  }
  return ownCheck(operation, aws?.resource ?? '*', address.account)
}

const refusal = (
  verdict: Extract<Verdict, { allow: false }>,
  request: AccessRequest,
  { operation, resource }: Check,
): Decision => {
  const { principal, action, aws } = request
  const message =
    verdict.source === undefined && aws?.isUnnamed(action) === true
      ? UNNAMED
      : describeDenial(verdict, { arn: principal.aws?.arn, action: `kms:${operation}`, resource })
  return { allow: false, reason: message, message }
}

/** As statements are asked about it, in lower case. There are as many as AWS has operations. */
const actions = new Map<string, string>()
function actionOf(operation: string): string {
  const known = actions.get(operation)
  if (known !== undefined) return known
  const action = `kms:${operation}`.toLowerCase()
  actions.set(operation, action)
  return action
}

export function queryOf(request: AccessRequest, check: Check, looked?: ContextSource['looked']): Query {
  const { principal, action, aws: facts } = request
  const identity = principal.aws
  const { operation, resource, account, key, policy } = check
  const context = contextOf({ identity, account, key, action, facts, ...(looked && { looked }) })
  return {
    caller: identity && callerOf(identity),
    account,
    keyPolicy: policy,
    question: {
      action: actionOf(operation),
      resource,
      context,
      variables: variablesOf(context),
    },
  }
}

const PAGE = 500

/** The grants to each of the names that mean the caller, until one allows. */
async function byGrants(
  store: Store,
  query: Query,
  { principal, aws, action }: AccessRequest,
  { operation, key }: Check,
): Promise<Verdict | undefined> {
  const identity: AwsIdentity | undefined = principal.aws
  if (identity === undefined || key === undefined) return undefined
  const encryptionContext = aws?.encryptionContext(action)
  const asked = { identity, operation, encryptionContext, wanted: aws?.grant }
  for (const name of namesOf(identity)) {
    let after: string | undefined
    do {
      const page = await store.page('grants', 'grantee', [key.id, name], after, PAGE)
      const verdict = decideByGrants(query, page.rows, asked)
      if (verdict !== undefined) return verdict
      after = page.next
    } while (after !== undefined)
  }
  return undefined
}

function asks({ caller, keyPolicy }: Query, name: string): boolean {
  const has = (policy: Policy): boolean => policy.asks.has(name)
  if (keyPolicy !== undefined && has(keyPolicy)) return true
  if (caller === undefined) return false
  const { policies, session, boundary } = caller
  return policies.some(has) || session?.some(has) === true || (boundary !== undefined && has(boundary))
}

function decideQuery(store: Store, request: AccessRequest, check: Check, query: Query): Eventually<Decision> {
  const { principal, missing } = request
  const verdict = decideByPolicies(query)
  if (verdict.allow) return ALLOW
  if (missing !== undefined && !verdict.explicit) return refusal(UNKNOWN, request, check)
  if (verdict.explicit || check.key === undefined || principal.aws === undefined)
    return refusal(verdict, request, check)
  return byGrants(store, query, request, check).then((granted) =>
    granted?.allow === true && granted.grant !== undefined
      ? { allow: true, grant: granted.grant }
      : refusal(verdict, request, check),
  )
}

function decideCheck(store: Store, request: AccessRequest, check: Check): Eventually<Decision> {
  const { principal } = request
  const foreign = principal.aws !== undefined && principal.aws.account !== check.account
  if (foreign && check.key !== undefined && !SHARED.has(check.operation)) return refusal(UNKNOWN, request, check)
  const query = queryOf(request, check)
  const wanted = LOOKED_UP.filter((name) => asks(query, name))
  if (wanted.length === 0) return decideQuery(store, request, check, query)
  return lookUp(store, request, check.key, wanted).then((looked) =>
    decideQuery(store, request, check, queryOf(request, check, looked)),
  )
}

/** What an operation on an alias touches besides: the alias itself, and the key that it stands for now. */
async function aliasChecks(store: Store, request: AccessRequest, alias: string): Promise<readonly Check[]> {
  const { wire, key, realm } = request
  const address = addressOf(request)
  const checks = key === undefined ? [] : [ownCheck(wire, aliasArn(address, alias), address.account)]
  const row = realm && (await store.find('aliases', 'name', [realm.id, alias]))
  const old = row && row.keyId !== key?.id ? await store.get('keys', row.keyId) : undefined
  return old === undefined || wire === 'CreateAlias' ? checks : [...checks, keyCheck(wire, old, address)]
}

async function furtherChecks(store: Store, request: AccessRequest): Promise<readonly Check[]> {
  const { aws } = request
  const address = addressOf(request)
  const { account } = address
  const tagging = aws?.tags === true ? [ownCheck('TagResource', keyArn(address, '*'), account)] : []
  const aliases = aws?.alias === undefined ? [] : await aliasChecks(store, request, aws.alias)
  return [...tagging, ...aliases]
}

async function decideAll(store: Store, request: AccessRequest): Promise<Decision> {
  for (const check of await furtherChecks(store, request)) {
    const decision = await decideCheck(store, request, check)
    if (!decision.allow) return decision
  }
  return ALLOW
}

/** For the mode authorizer. Answers at once where policies alone decide and nothing has to be looked up. */
export const awsEvaluator =
  (store: Store): Evaluator =>
  (request) => {
    const { aws, missing, wire } = request
    const check = mainCheck(request)
    if (wire === 'RetireGrant' && missing === undefined) {
      return decideRetiring(store, request, queryOf(request, check)).then((verdict) =>
        verdict.allow ? ALLOW : refusal(verdict, request, check),
      )
    }
    const first = decideCheck(store, request, check)
    const alone = aws?.alias === undefined && aws?.tags !== true
    if (missing !== undefined || alone) return first
    return andThen(first, (decision) => (decision.allow ? decideAll(store, request) : decision))
  }
