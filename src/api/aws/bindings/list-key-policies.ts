import { listKeyPolicies } from '../../../core/ops/get-key.ts'
import { validationError } from '../aws-error.ts'
import { parseKeyIdOrArn } from '../names.ts'
import { POLICY_NAME } from '../policy-document.ts'
import { bind } from '../route.ts'

/** A key has one policy: there is no second page, and so no marker of one. */
export const listKeyPoliciesBinding = bind({
  wire: 'ListKeyPolicies',
  operation: listKeyPolicies,
  toInput(wire, ctx) {
    if (wire.Marker !== undefined) throw validationError('The marker is not one of this list.')
    return { key: parseKeyIdOrArn(wire.KeyId, ctx.realm) }
  },
  toOutput: () => ({ PolicyNames: [POLICY_NAME], Truncated: false }),
})
