/** Principals that the configuration describes: fixed, and there from the first start. */
import { KmsError } from '../core/error.ts'
import { checkFacts } from '../core/ops/principals.ts'
import type { FixedPrincipals } from '../core/principals/directory.ts'
import {
  fixedPrincipalId,
  type PrincipalKind,
  principalArn,
  type StoredPrincipal,
} from '../core/principals/principal.ts'
import { Problem } from '../core/problem.ts'
import type { Secret } from '../core/secret.ts'
import type { AwsPrincipalSettings, SecretSource } from './schema.ts'

export type PrincipalConfig = {
  readonly principal: StoredPrincipal
  readonly accessKeys: readonly { readonly id: string; readonly secret: SecretSource }[]
}

function nameOf({ name }: AwsPrincipalSettings, kind: PrincipalKind, where: string): string {
  if (kind === 'root') {
    if (name === undefined) return 'root'
    throw new Problem(`${where} is the root of its account and has a name`, `remove ${where}.name`)
  }
  if (name !== undefined) return name
  throw new Problem(`${where} has no name`, `set ${where}.name, or ${where}.kind to root`)
}

function resolveOne(
  settings: AwsPrincipalSettings,
  where: string,
  defaultAccount: string,
  checkSource: (source: SecretSource, where: string) => SecretSource,
): PrincipalConfig {
  const { kind = 'user', account = defaultAccount, accessKeys = [], maxSessionSeconds, tags = {} } = settings
  const name = nameOf(settings, kind, where)
  const { policies = [], boundary, trust, service } = settings
  const principal: StoredPrincipal = {
    id: fixedPrincipalId(kind, account, name),
    kind,
    account,
    name,
    policies: policies.map((document) => JSON.stringify(document)),
    ...(boundary !== undefined && { boundary: JSON.stringify(boundary) }),
    ...(trust !== undefined && { trust: JSON.stringify(trust) }),
    ...(maxSessionSeconds !== undefined && { maxSessionSeconds }),
    ...(service !== undefined && { service }),
    tags,
    createdAt: 0,
  }
  try {
    checkFacts(kind, principal)
  } catch (error) {
    const { field, reason } = KmsError.from(error).params
    throw new Problem(`${where}.${field}: ${reason}`, 'correct it, as docs/aws.md shows', { cause: error })
  }
  if (kind === 'role' && accessKeys.length > 0) {
    throw new Problem(`${where} is a role and has access keys`, `remove ${where}.accessKeys: a role is assumed`)
  }
  return {
    principal,
    accessKeys: accessKeys.map(({ id, secret }, index) => ({
      id,
      secret: checkSource(secret, `${where}.accessKeys[${index}].secret`),
    })),
  }
}

/** @throws Problem */
export function resolvePrincipals(
  settings: readonly AwsPrincipalSettings[],
  defaultAccount: string,
  checkSource: (source: SecretSource, where: string) => SecretSource,
): readonly PrincipalConfig[] {
  const resolved = settings.map((one, index) =>
    resolveOne(one, `aws.principals[${index}]`, defaultAccount, checkSource),
  )
  const seen = new Set<string>()
  for (const { principal, accessKeys } of resolved) {
    for (const name of [principalArn(principal).toLowerCase(), ...accessKeys.map(({ id }) => id)]) {
      if (seen.has(name)) throw new Problem(`aws.principals has ${name} twice`, 'remove one of them')
      seen.add(name)
    }
  }
  return resolved
}

/** With their secrets. @throws Problem where one is missing */
export const fixedPrincipals = (
  principals: readonly PrincipalConfig[],
  readSecret: (source: SecretSource, what: string) => Secret,
): FixedPrincipals => ({
  principals: principals.map(({ principal }) => principal),
  accessKeys: principals.flatMap(({ principal, accessKeys }) =>
    accessKeys.map(({ id, secret }) => ({
      id,
      principalId: principal.id,
      secret: readSecret(secret, `the secret of access key ${id}`),
    })),
  ),
})
