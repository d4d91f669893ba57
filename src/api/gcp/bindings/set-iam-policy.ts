import { setKeyPolicy, setRingPolicy } from '../../../core/ops/iam-policies.ts'
import { bind, bindEither } from '../binding.ts'
import { IAMPolicy } from '../gen/google/iam/v1/iam_policy_pb.js'
import { isKeyName, policyMessage, readPolicy } from '../iam.ts'
import { keyReference, parseKey, parseRing, ringReference } from '../names.ts'

const ofRing = bind(IAMPolicy.method.setIamPolicy, {
  operation: setRingPolicy,
  permission: 'cloudkms.keyRings.setIamPolicy',
  resource: ({ resource }) => parseRing('resource', resource),
  toInput: (request) => ({ ring: ringReference(parseRing('resource', request.resource)), ...readPolicy(request) }),
  toOutput: policyMessage,
})

const ofKey = bind(IAMPolicy.method.setIamPolicy, {
  operation: setKeyPolicy,
  permission: 'cloudkms.cryptoKeys.setIamPolicy',
  resource: ({ resource }) => parseKey('resource', resource),
  toInput: (request) => ({ key: keyReference(parseKey('resource', request.resource)), ...readPolicy(request) }),
  toOutput: policyMessage,
})

export const setIamPolicyBinding = bindEither(ofRing, ofKey, isKeyName)
