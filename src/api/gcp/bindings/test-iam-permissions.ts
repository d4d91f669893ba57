import { create } from '@bufbuild/protobuf'
import { KmsError } from '../../../core/error.ts'
import { testPermissions } from '../../../core/ops/test-permissions.ts'
import { type BoundMethod, bind } from '../binding.ts'
import { IAMPolicy, TestIamPermissionsResponseSchema } from '../gen/google/iam/v1/iam_policy_pb.js'
import { checkPermissions, isKeyName } from '../iam.ts'
import { parseKey, parseRing } from '../names.ts'

const nameOf = ({ resource }: { readonly resource: string }) =>
  isKeyName({ resource }) ? parseKey('resource', resource) : parseRing('resource', resource)

const bound = bind(IAMPolicy.method.testIamPermissions, {
  operation: testPermissions,
  permission: undefined,
  resource: nameOf,
  toInput(request) {
    const { ring, key }: { ring: string; key?: string } = nameOf(request)
    return { ring, key, permissions: checkPermissions(request.permissions) }
  },
  toOutput: (permissions) => ({ permissions: [...permissions] }),
})

/** Nobody has anything on what is not there, a location among it. */
export const testIamPermissionsBinding: BoundMethod = {
  ...bound,
  async execute(...given) {
    try {
      return await bound.execute(...given)
    } catch (error) {
      if (KmsError.from(error).code !== 'realm_not_found') throw error
      return create(TestIamPermissionsResponseSchema)
    }
  },
}
