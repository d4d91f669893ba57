/** Key policies as documents: whether one can be stored, and the one that a key has when its maker gave none. */
import { defaultPolicy as defaultDocument } from '../../core/policy/aws/default-policy.ts'
import { type Policy, PolicyError, parsePolicy } from '../../core/policy/aws/document.ts'
import type { AwsFacts } from '../../core/policy/aws/facts.ts'
import { callerKeepsPolicy, someoneKeepsPolicy } from '../../core/policy/aws/lockout.ts'
import type { AwsIdentity } from '../../core/ports.ts'
import { AwsError } from './aws-error.ts'
import { type AwsAddress, keyArn, rootArn } from './names.ts'

export const POLICY_NAME = 'default'
export const defaultPolicy = (address: AwsAddress): string => defaultDocument(rootArn(address))

/** @throws AwsError NotFoundException: keys have one policy, of this name */
export function checkPolicyName(name: string | undefined): void {
  if (name !== undefined && name !== POLICY_NAME) throw new AwsError('NotFoundException', 'No such policy exists')
}

/** 32 KB is the documented quota; the model allows more characters. */
const MAX_BYTES = 32_768

const malformed = (message: string): AwsError => new AwsError('MalformedPolicyDocumentException', message)

function compile(text: string): Policy {
  if (Buffer.byteLength(text) > MAX_BYTES) throw new AwsError('LimitExceededException', 'Policy is larger than 32 KB')
  try {
    return parsePolicy(text, 'key')
  } catch (error) {
    throw error instanceof PolicyError ? malformed(error.message) : error
  }
}

export type PolicyHolder = AwsAddress & {
  /** Absent while the key is being made: only a wildcard can mean that. */
  readonly keyId?: string
  /** Whether the caller wants to lock himself out. */
  readonly bypass: boolean | undefined
  /** Absent while nobody is verified. */
  readonly asker?: { readonly identity: AwsIdentity; readonly facts: AwsFacts } | undefined
}

/** @throws AwsError MalformedPolicyDocumentException, LimitExceededException */
export function checkNewPolicy(text: string, { keyId, bypass, asker, ...address }: PolicyHolder): void {
  const policy = compile(text)
  if (bypass === true) return
  const resource = keyId === undefined ? '' : keyArn(address, keyId)
  const { account } = address
  const kept =
    asker === undefined
      ? someoneKeepsPolicy(policy, resource, { account, root: rootArn(address) })
      : callerKeepsPolicy(policy, resource, { ...asker, account })
  if (kept) return
  throw malformed('The new key policy will not allow you to update the key policy in the future.')
}
