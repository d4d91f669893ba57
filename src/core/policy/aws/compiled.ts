/** Policies in the form that they are evaluated in, made once for each text or object. */
import { Lru } from '../../lru.ts'
import type { AwsIdentity } from '../../ports.ts'
import type { Caller } from './decide.ts'
import { compilePolicy, type Policy, PolicyError, type PolicyKind, parsePolicy } from './document.ts'
import { isRoot } from './principal.ts'

/** Of key policies; a text is at most 32 KB. */
const MAX_POLICIES = 4096
const MAX_CHARACTERS = 16_000_000

/** Stands for a document that can't be read, which might have denied anything. */
const everything = (): boolean => true
const DENY_ALL: Policy = {
  statements: [
    {
      effect: 'Deny',
      principals: { names: ['*'], match: () => 'anyone' },
      action: everything,
      resource: everything,
      conditions: [],
    },
  ],
  asks: new Set(),
}

function orDenyAll(compile: () => Policy): Policy {
  try {
    return compile()
  } catch (error) {
    if (error instanceof PolicyError) return DENY_ALL
    throw error
  }
}

const keyPolicies = new Lru<Policy>({ maxEntries: MAX_POLICIES, maxCost: MAX_CHARACTERS })

/** Of a text that was checked when it was stored. */
export function keyPolicyOf(text: string): Policy {
  const known = keyPolicies.get(text)
  if (known !== undefined) return known
  const policy = orDenyAll(() => parsePolicy(text, 'key'))
  keyPolicies.set(text, policy, text.length)
  return policy
}

const documents = new WeakMap<object, Policy>()

function documentOf(document: unknown, kind: PolicyKind): Policy {
  if (typeof document !== 'object' || document === null) return DENY_ALL
  const known = documents.get(document)
  if (known !== undefined) return known
  const policy = orDenyAll(() => compilePolicy(document, kind))
  documents.set(document, policy)
  return policy
}

const callers = new WeakMap<AwsIdentity, Caller>()

export function callerOf(identity: AwsIdentity): Caller {
  const known = callers.get(identity)
  if (known !== undefined) return known
  const caller: Caller = {
    identity,
    isRoot: isRoot(identity),
    policies: identity.policies.map((document) => documentOf(document, 'identity')),
    session: identity.sessionPolicies?.map((document) => documentOf(document, 'identity')),
    boundary: identity.boundary === undefined ? undefined : documentOf(identity.boundary, 'identity'),
  }
  callers.set(identity, caller)
  return caller
}
