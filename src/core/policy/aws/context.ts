/** What conditions and variables can ask: of the caller, of the key, and of the request itself. */
import type { Key } from '../../key.ts'
import type { AwsIdentity } from '../../ports.ts'
import type { Context } from './condition.ts'
import type { AwsFacts } from './facts.ts'
import type { Variables } from './pattern.ts'
import { isRoot } from './principal.ts'

type Value = ReturnType<Context>

function typeOf(identity: AwsIdentity): string {
  if (isRoot(identity)) return 'Account'
  if (identity.roleArn !== undefined) return 'AssumedRole'
  return identity.arn.includes(':federated-user/') ? 'FederatedUser' : 'User'
}

const OF_CALLER: ReadonlyMap<string, (identity: AwsIdentity) => Value> = new Map([
  ['aws:principalarn', ({ arn, roleArn }) => roleArn ?? arn],
  ['aws:principalaccount', ({ account }) => account],
  ['kms:calleraccount', ({ account }) => account],
  ['aws:principaltype', typeOf],
  ['aws:userid', ({ userId }) => userId],
  ['aws:username', ({ userName }) => userName],
  ['aws:principalisawsservice', () => 'false'],
  ['aws:viaawsservice', () => 'false'],
])

const PRINCIPAL_TAG = 'aws:principaltag/'
const RESOURCE_TAG = 'aws:resourcetag/'

/** Names have no case. Of several that differ in case alone, all values count. */
export function valuesUnder(map: Readonly<Record<string, string>>, name: string): Value {
  const values = Object.entries(map).flatMap(([key, value]) => (key.toLowerCase() === name ? [value] : []))
  return values.length > 1 ? values : values[0]
}

export type ContextSource = {
  readonly identity: AwsIdentity | undefined
  /** Account of the resource. */
  readonly account: string
  readonly key: Key | undefined
  readonly action: string
  readonly facts: AwsFacts | undefined
  /** What took a look into the store to know. */
  readonly looked?: ReadonlyMap<string, Value>
}

function ofKey(name: string, { key, account }: ContextSource): Value {
  if (name === 'aws:resourceaccount') return account
  if (key !== undefined && name.startsWith(RESOURCE_TAG)) {
    return valuesUnder(key.tags.aws, name.slice(RESOURCE_TAG.length))
  }
  return undefined
}

/** Variables are the keys that have one value. */
export const variablesOf =
  (context: Context): Variables =>
  (name) => {
    const value = context(name)
    return typeof value === 'string' ? value : undefined
  }

export const contextOf =
  (source: ContextSource): Context =>
  (name) => {
    const { identity, key, action, facts, looked } = source
    const ofCaller = OF_CALLER.get(name)
    if (ofCaller !== undefined) return identity && ofCaller(identity)
    if (name.startsWith(PRINCIPAL_TAG)) return identity && valuesUnder(identity.tags, name.slice(PRINCIPAL_TAG.length))
    return ofKey(name, source) ?? looked?.get(name) ?? facts?.condition(name, { action, key })
  }
