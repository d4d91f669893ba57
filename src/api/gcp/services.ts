/** Every method of the API with its REST routes: those of the protos' annotations, and those of the service's config. */
import { type DescMethod, type DescService, getOption, hasOption } from '@bufbuild/protobuf'
import { http } from './gen/google/api/annotations_pb.js'
import type { HttpRule as HttpRuleMessage } from './gen/google/api/http_pb.js'
import { AutokeyAdmin } from './gen/google/cloud/kms/v1/autokey_admin_pb.js'
import { Autokey } from './gen/google/cloud/kms/v1/autokey_pb.js'
import { EkmService } from './gen/google/cloud/kms/v1/ekm_service_pb.js'
import { HsmManagement } from './gen/google/cloud/kms/v1/hsm_management_pb.js'
import { KeyManagementService } from './gen/google/cloud/kms/v1/service_pb.js'
import { Locations } from './gen/google/cloud/location/locations_pb.js'
import { IAMPolicy } from './gen/google/iam/v1/iam_policy_pb.js'
import { Operations } from './gen/google/longrunning/operations_pb.js'
import type { HttpRule } from './http-rule.ts'

export type ServiceMethod = { readonly method: DescMethod; readonly rules: readonly HttpRule[] }

const IAM_RESOURCES = [
  'keyRings/*',
  'keyRings/*/cryptoKeys/*',
  'keyRings/*/importJobs/*',
  'ekmConfig',
  'ekmConnections/*',
]
const iamRules = (verb: string): HttpRule[] =>
  IAM_RESOURCES.map((resource) => ({
    method: 'POST',
    template: `/v1/{resource=projects/*/locations/*/${resource}}:${verb}`,
    body: '*',
  }))

/**
 * cloudkms_v1.yaml, the service's configuration, sets other routes for the mixed-in services than their protos do.
 * It has getIamPolicy as GET; Google's Node client sends POST all the same.
 */
const OVERRIDES: ReadonlyMap<DescMethod, readonly HttpRule[]> = new Map<DescMethod, readonly HttpRule[]>([
  [
    IAMPolicy.method.getIamPolicy,
    iamRules('getIamPolicy').flatMap((rule) => [{ ...rule, method: 'GET', body: '' }, rule]),
  ],
  [IAMPolicy.method.setIamPolicy, iamRules('setIamPolicy')],
  [IAMPolicy.method.testIamPermissions, iamRules('testIamPermissions')],
  [Locations.method.listLocations, [{ method: 'GET', template: '/v1/{name=projects/*}/locations', body: '' }]],
  [Locations.method.getLocation, [{ method: 'GET', template: '/v1/{name=projects/*/locations/*}', body: '' }]],
  [
    Operations.method.getOperation,
    [{ method: 'GET', template: '/v1/{name=projects/*/locations/*/operations/*}', body: '' }],
  ],
])

const toRule = ({ pattern, body }: HttpRuleMessage): HttpRule[] =>
  pattern.case === undefined || pattern.case === 'custom'
    ? []
    : [{ method: pattern.case.toUpperCase(), template: pattern.value, body }]

function rulesOf(method: DescMethod): readonly HttpRule[] {
  const override = OVERRIDES.get(method)
  if (override !== undefined) return override
  if (!hasOption(method, http)) return []
  const rule = getOption(method, http)
  return [rule, ...rule.additionalBindings].flatMap(toRule)
}

const whole = (service: DescService): readonly DescMethod[] => service.methods

export const METHODS: readonly ServiceMethod[] = [
  ...whole(KeyManagementService),
  ...whole(EkmService),
  ...whole(Autokey),
  ...whole(AutokeyAdmin),
  ...whole(HsmManagement),
  ...whole(Locations),
  ...whole(IAMPolicy),
  // Of the long-running operations' service, only this one is exposed.
  Operations.method.getOperation,
].map((method) => ({ method, rules: rulesOf(method) }))
