import { KmsError } from '../../../../core/error.ts'
import { assumeRole } from '../../../../core/ops/sessions.ts'
import { PolicyError, parsePolicy } from '../../../../core/policy/aws/document.ts'
import type { AwsIdentity } from '../../../../core/ports.ts'
import type { StoredPrincipal } from '../../../../core/principals/principal.ts'
import type { SessionPlan } from '../../../../core/principals/sessions.ts'
import { mayAssume } from '../../../../core/principals/trust.ts'
import type { StsBinding, StsContext } from '../binding.ts'
import { anyCredentials, credentials } from '../credentials.ts'
import { accessDenied, StsError, validation } from '../error.ts'
import { type Parameters, refuseUnsupported, requiredText, text, wholeNumber } from '../parameters.ts'
import { element, type Xml } from '../xml.ts'

const HOUR = 3600
const NAME = '[\\w+=,.@-]*'
const UNSUPPORTED = [
  'PolicyArns',
  'TransitiveTagKeys',
  'SerialNumber',
  'TokenCode',
  'SourceIdentity',
  'ProvidedContexts',
]
const MAX_TAGS = 50

type Asked = {
  readonly roleArn: string
  readonly name: string
  readonly seconds: number | undefined
  readonly policy: string | undefined
  readonly externalId: string | undefined
  readonly tags: Readonly<Record<string, string>>
}

/** `Tags.member.1.Key`, `Tags.member.1.Value`, and so on. @throws StsError */
function readTags(parameters: Parameters): Readonly<Record<string, string>> {
  const tags = new Map<string, string>()
  for (let index = 1; parameters.has(`Tags.member.${index}.Key`); index++) {
    const key = parameters.get(`Tags.member.${index}.Key`) ?? ''
    const value = parameters.get(`Tags.member.${index}.Value`) ?? ''
    if (key === '' || key.length > 128 || value.length > 256)
      throw validation(`The tag ${index} is too long, or has no key.`)
    if ([...tags.keys()].some((known) => known.toLowerCase() === key.toLowerCase())) {
      throw new StsError(
        'InvalidParameterValue',
        'Duplicate tag keys found. Please note that Tag keys are case insensitive.',
      )
    }
    tags.set(key, value)
    if (tags.size > MAX_TAGS)
      throw validation(
        `1 validation error detected: Value at 'tags' failed to satisfy constraint: Member must have length less than or equal to ${MAX_TAGS}`,
      )
  }
  return Object.fromEntries(tags)
}

function read(parameters: Parameters): Asked {
  refuseUnsupported(parameters, UNSUPPORTED)
  const policy = text(parameters, 'Policy', {
    least: 1,
    most: 2048,
    pattern: '[\\u0009\\u000A\\u000D\\u0020-\\u00FF]+',
  })
  if (policy !== undefined) {
    try {
      parsePolicy(policy, 'identity')
    } catch (error) {
      if (error instanceof PolicyError) throw new StsError('MalformedPolicyDocument', error.message)
      throw error
    }
  }
  return {
    roleArn: requiredText(parameters, 'RoleArn', {
      least: 20,
      most: 2048,
      pattern: '[\\u0009\\u000A\\u000D\\u0020-\\u007E\\u0085\\u00A0-\\uD7FF\\uE000-\\uFFFD\\u{10000}-\\u{10FFFF}]+',
    }),
    name: requiredText(parameters, 'RoleSessionName', { least: 2, most: 64, pattern: NAME }),
    seconds: wholeNumber(parameters, 'DurationSeconds', 900, 12 * HOUR),
    policy,
    externalId: text(parameters, 'ExternalId', { least: 2, most: 1224, pattern: '[\\w+=,.@:\\/-]*' }),
    tags: readTags(parameters),
  }
}

/** Values of the condition keys that a trust policy may ask for, their names in lower case. */
function contextOf(identity: AwsIdentity, asked: Asked, { now, sourceIp, secure }: StsContext) {
  const values: Readonly<Record<string, string | readonly string[] | undefined>> = {
    'sts:externalid': asked.externalId,
    'sts:rolesessionname': asked.name,
    'aws:principalarn': identity.roleArn ?? identity.arn,
    'aws:principalaccount': identity.account,
    'aws:userid': identity.userId,
    'aws:username': identity.userName,
    'aws:sourceip': sourceIp,
    'aws:securetransport': String(secure),
    'aws:currenttime': new Date(now).toISOString().replace(/\.\d+/, ''),
    'aws:epochtime': String(Math.floor(now / 1000)),
    'aws:tagkeys': Object.keys(asked.tags),
  }
  const ofTag = (name: string, prefix: string, tags: Readonly<Record<string, string>>): string | undefined =>
    Object.entries(tags).find(([key]) => name === prefix + key.toLowerCase())?.[1]
  return (name: string) =>
    values[name] ?? ofTag(name, 'aws:principaltag/', identity.tags) ?? ofTag(name, 'aws:requesttag/', asked.tags)
}

/** How long it lasts: an hour at most for who is in a role already. @throws StsError */
function lifeOf(role: StoredPrincipal, { seconds = HOUR }: Asked, chained: boolean): number {
  if (chained && seconds > HOUR) {
    throw validation(
      'The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining',
    )
  }
  if (seconds > (role.maxSessionSeconds ?? HOUR)) {
    throw validation('The requested DurationSeconds exceeds the MaxSessionDuration set for this role.')
  }
  return seconds
}

function planFor(
  role: StoredPrincipal | undefined,
  identity: AwsIdentity,
  asked: Asked,
  ctx: StsContext,
): SessionPlan | undefined {
  if (role?.kind !== 'role' || !mayAssume(role, identity, contextOf(identity, asked, ctx))) return undefined
  const { name, tags, policy } = asked
  const seconds = lifeOf(role, asked, identity.roleArn !== undefined)
  return { principal: role, seconds, name, tags, ...(policy !== undefined && { policies: [policy] }) }
}

const assumed = (arn: string, id: string): Xml =>
  element('AssumedRoleUser', [element('AssumedRoleId', id), element('Arn', arn)])

export const assumeRoleBinding: StsBinding = {
  wire: 'AssumeRole',
  async answer(parameters, ctx) {
    const asked = read(parameters)
    const { kernel, call, caller, identities } = ctx
    const identity = caller.principal.aws
    if (identity === undefined) {
      const [, account = caller.address.account, role = 'role'] =
        /^arn:[^:]*:iam::(\d{12}):role\/(?:.*\/)?([^/]+)$/.exec(asked.roleArn) ?? []
      const arn = `arn:aws:sts::${account}:assumed-role/${role}/${asked.name}`
      return [credentials(anyCredentials(ctx.now, asked.seconds ?? HOUR)), assumed(arn, `AROA:${asked.name}`)]
    }
    if (identity.arn.endsWith(':root')) throw accessDenied('Roles may not be assumed by root accounts.')
    const role = identities.directory.byArn(asked.roleArn)
    const input = {
      roleArn: asked.roleArn,
      plan: planFor(role, identity, asked, ctx),
      create: identities.sessions.create.bind(identities.sessions),
    }
    const session = await kernel.execute(assumeRole, input, call).catch((error: unknown) => {
      const { code } = KmsError.from(error)
      if (code === 'limit_exceeded') {
        throw new StsError(
          'PackedPolicyTooLarge',
          'Packed policy consumes more than 100% of allotted space, please use smaller policy.',
        )
      }
      if (code !== 'access_denied') throw error
      throw accessDenied(
        `User: ${identity.arn} is not authorized to perform: sts:AssumeRole on resource: ${asked.roleArn}`,
      )
    })
    return [credentials(session), assumed(session.identity.arn, session.identity.userId)]
  },
}
