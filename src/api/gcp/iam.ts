/** IAM policies on the wire: bindings without conditions, of key rings and keys. */
import type { MessageInitShape } from '@bufbuild/protobuf'
import type { IamBinding, IamPolicy } from '../../core/policy/gcp/policy.ts'
import type { SetIamPolicyRequest } from './gen/google/iam/v1/iam_policy_pb.js'
import type { PolicySchema } from './gen/google/iam/v1/policy_pb.js'
import { badField } from './status.ts'

/** 2 was never one. */
const VERSIONS: ReadonlySet<number> = new Set([0, 1, 3])
const MASKED: ReadonlySet<string> = new Set(['bindings', 'etag', 'version'])
const MAX_PERMISSIONS = 100
const PERMISSION = /^[a-z][a-zA-Z]{0,63}\.[a-zA-Z]{1,64}\.[a-zA-Z]{1,64}$/

export const isKeyName = ({ resource }: { readonly resource: string }): boolean => resource.includes('/cryptoKeys/')

/** @throws RpcError */
export function checkVersion(field: string, version: number | undefined): void {
  if (version !== undefined && !VERSIONS.has(version)) {
    throw badField(field, `Invalid value for field '${field}': the policy version must be 0, 1 or 3.`)
  }
}

/** @throws RpcError for what is missing, and for conditions and audit configurations, which are not kept here */
export function readPolicy({ policy, updateMask }: SetIamPolicyRequest): {
  readonly bindings: readonly IamBinding[]
  readonly etag: string | undefined
} {
  if (policy === undefined) throw badField('policy', 'The policy field is required.')
  const paths = updateMask?.paths ?? []
  if (paths.length > 0 && (!paths.includes('bindings') || paths.some((path) => !MASKED.has(path)))) {
    throw badField('update_mask', 'Only bindings and etag of a policy can be updated.')
  }
  checkVersion('policy.version', policy.version)
  if (policy.auditConfigs.length > 0) throw badField('policy.audit_configs', 'Audit configurations are not supported.')
  if (policy.bindings.some(({ condition }) => condition !== undefined)) {
    throw badField('policy.bindings', 'Conditions are not supported.')
  }
  return {
    bindings: policy.bindings.map(({ role, members }) => ({ role, members })),
    etag: policy.etag.length === 0 ? undefined : Buffer.from(policy.etag).toString('hex'),
  }
}

export const policyMessage = ({ bindings, etag }: IamPolicy): MessageInitShape<typeof PolicySchema> => ({
  version: bindings.length > 0 ? 1 : 0,
  bindings: bindings.map(({ role, members }) => ({ role, members: [...members] })),
  etag: Buffer.from(etag, 'hex'),
})

/** @throws RpcError */
export function checkPermissions(permissions: readonly string[]): readonly string[] {
  if (permissions.length > MAX_PERMISSIONS) {
    throw badField('permissions', `At most ${MAX_PERMISSIONS} permissions can be tested at once.`)
  }
  if (permissions.some((permission) => !PERMISSION.test(permission))) {
    throw badField('permissions', 'Permissions must be of the form service.resource.verb, without wildcards.')
  }
  return permissions
}
