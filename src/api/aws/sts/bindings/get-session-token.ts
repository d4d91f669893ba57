import { getSessionToken } from '../../../../core/ops/sessions.ts'
import type { StsBinding } from '../binding.ts'
import { anyCredentials, credentials } from '../credentials.ts'
import { accessDenied } from '../error.ts'
import { refuseUnsupported, wholeNumber } from '../parameters.ts'

const HOURS = 3600

export const getSessionTokenBinding: StsBinding = {
  wire: 'GetSessionToken',
  async answer(parameters, { kernel, call, caller, identities, now }) {
    refuseUnsupported(parameters, ['SerialNumber', 'TokenCode'])
    const asked = wholeNumber(parameters, 'DurationSeconds', 900, 36 * HOURS) ?? 12 * HOURS
    const identity = caller.principal.aws
    if (identity === undefined) return [credentials(anyCredentials(now, asked))]
    const principal = identities.directory.byArn(identity.arn)
    if (principal === undefined || caller.temporary)
      throw accessDenied('Cannot call GetSessionToken with session credentials')
    // A root's session lasts an hour at most.
    const seconds = principal.kind === 'root' ? Math.min(asked, HOURS) : asked
    const create = identities.sessions.create.bind(identities.sessions)
    const session = await kernel.execute(getSessionToken, { plan: { principal, seconds }, create }, call)
    return [credentials(session)]
  },
}
