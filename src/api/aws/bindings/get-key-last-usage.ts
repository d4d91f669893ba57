import type { KeyUse } from '../../../core/algorithm.ts'
import type { LastUse } from '../../../core/last-use.ts'
import { getLastUse } from '../../../core/ops/get-last-use.ts'
import type { KeyLastUsageData, KeyLastUsageTrackingOperation } from '../gen/types.ts'
import { awsKeyId, parseKeyIdOrArn } from '../names.ts'
import { seconds } from '../render-key-metadata.ts'
import { bind } from '../route.ts'

/** AWS's nearest name for what another dialect did with the key. */
const NEAREST = {
  encrypt: 'Encrypt',
  decrypt: 'Decrypt',
  raw_encrypt: 'Encrypt',
  raw_decrypt: 'Decrypt',
  wrap: 'Encrypt',
  unwrap: 'Decrypt',
  sign: 'Sign',
  verify: 'Verify',
  mac_sign: 'GenerateMac',
  mac_verify: 'VerifyMac',
  derive: 'DeriveSharedSecret',
  encapsulate: 'Encapsulate',
  decapsulate: 'Decapsulate',
} as const satisfies Record<KeyUse, KeyLastUsageTrackingOperation>

/** AWS's own wire operations that use keys are the tracked ones, by the same names. */
const render = ({ dialect, wire, use, at, requestId, recordId }: LastUse): KeyLastUsageData => ({
  Operation: dialect === 'aws' ? (wire as KeyLastUsageTrackingOperation) : NEAREST[use],
  Timestamp: seconds(at),
  CloudTrailEventId: recordId,
  KmsRequestId: requestId,
})

export const getKeyLastUsageBinding = bind({
  wire: 'GetKeyLastUsage',
  operation: getLastUse,
  toInput: (wire, ctx) => ({ key: parseKeyIdOrArn(wire.KeyId, ctx.realm) }),
  toOutput: ({ key, lastUse, since }) => ({
    KeyId: awsKeyId(key),
    KeyLastUsage: lastUse === undefined ? {} : render(lastUse),
    TrackingStartDate: seconds(since),
    KeyCreationDate: seconds(key.createdAt),
  }),
})
