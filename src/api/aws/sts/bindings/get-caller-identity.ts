import { getCallerIdentity } from '../../../../core/ops/sessions.ts'
import type { StsBinding } from '../binding.ts'
import { element } from '../xml.ts'

export const getCallerIdentityBinding: StsBinding = {
  wire: 'GetCallerIdentity',
  async answer(_parameters, { kernel, call, caller }) {
    const identity = await kernel.execute(getCallerIdentity, {}, call)
    const { account } = caller.address
    const { arn, userId } = identity ?? { arn: `arn:aws:iam::${account}:root`, userId: account }
    return [element('Arn', arn), element('UserId', userId), element('Account', account)]
  },
}
