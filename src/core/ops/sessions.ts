/** Who somebody is, and temporary credentials for it. Whether a role may be assumed is its trust policy's to say. */
import { KmsError } from '../error.ts'
import { realmOperation } from '../operation.ts'
import type { AwsIdentity } from '../ports.ts'
import type { NewSession, SessionPlan } from '../principals/sessions.ts'

/** The caller; undefined where nobody was verified. */
export const getCallerIdentity = realmOperation<Record<string, never>, AwsIdentity | undefined>({
  name: 'GetCallerIdentity',
  action: 'get-caller-identity',
  run: async ({ call }) => ({ output: call.principal.aws }),
})

export type AssumeRoleInput = {
  readonly roleArn: string
  /** Undefined: the caller may not have one. */
  readonly plan: SessionPlan | undefined
  readonly create: (plan: SessionPlan) => NewSession
}

/** @throws KmsError access_denied, also for a role that is not there */
export const assumeRole = realmOperation<AssumeRoleInput, NewSession>({
  name: 'AssumeRole',
  action: 'assume-role',
  async run(_env, _target, { roleArn, plan, create }) {
    if (plan === undefined) throw new KmsError('access_denied', { action: 'sts:AssumeRole', resource: roleArn })
    return { output: create(plan), about: roleArn }
  },
})

/** A session of the caller's own. */
export const getSessionToken = realmOperation<Omit<AssumeRoleInput, 'roleArn'>, NewSession>({
  name: 'GetSessionToken',
  action: 'get-session-token',
  async run(_env, _target, { plan, create }) {
    if (plan === undefined) throw new KmsError('access_denied', { action: 'sts:GetSessionToken' })
    const session = create(plan)
    return { output: session, about: session.identity.arn }
  },
})
