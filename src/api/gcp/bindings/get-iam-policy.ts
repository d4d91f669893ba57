import { getKeyPolicy, getRingPolicy } from '../../../core/ops/iam-policies.ts'
import { bind, bindEither } from '../binding.ts'
import { type GetIamPolicyRequest, IAMPolicy } from '../gen/google/iam/v1/iam_policy_pb.js'
import { checkVersion, isKeyName, policyMessage } from '../iam.ts'
import { keyReference, parseKey, parseRing, ringReference } from '../names.ts'

const checkOptions = ({ options }: GetIamPolicyRequest): void =>
  checkVersion('options.requested_policy_version', options?.requestedPolicyVersion)

const ofRing = bind(IAMPolicy.method.getIamPolicy, {
  operation: getRingPolicy,
  permission: 'cloudkms.keyRings.getIamPolicy',
  resource: ({ resource }) => parseRing('resource', resource),
  toInput(request) {
    checkOptions(request)
    return { ring: ringReference(parseRing('resource', request.resource)) }
  },
  toOutput: policyMessage,
})

const ofKey = bind(IAMPolicy.method.getIamPolicy, {
  operation: getKeyPolicy,
  permission: 'cloudkms.cryptoKeys.getIamPolicy',
  resource: ({ resource }) => parseKey('resource', resource),
  toInput(request) {
    checkOptions(request)
    return { key: keyReference(parseKey('resource', request.resource)) }
  },
  toOutput: policyMessage,
})

export const getIamPolicyBinding = bindEither(ofRing, ofKey, isKeyName)
