/** Who may replicate a key and move its primary: both keys' policies are asked, each in its own Region. */
import t from 'tap'
import { admin, arnOf, denied, makeEnforced, missing, policy, REGION, statement, user } from './enforced.ts'

const WEST = 'us-west-2'
const NO_OWN = 'identity-based policy'
const NO_KEY = 'resource-based policy'
const inWest = (arn: string): string => arn.replace(REGION, WEST)
const keyOf = (who: { readonly arn: string }, Action: string): string =>
  JSON.stringify(
    policy(
      statement(Action, { Principal: { AWS: who.arn } }),
      statement('kms:PutKeyPolicy', { Principal: { AWS: admin.arn } }),
    ),
  )

t.test('a replica is made by who may replicate the primary, and make keys', async (t) => {
  const { verdict, createKey } = await makeEnforced()
  const KeyId = await createKey({ MultiRegion: true })
  const asked = { KeyId, ReplicaRegion: WEST }
  const replicator = user('replicator', [policy(statement('kms:ReplicateKey'))])
  const maker = user('maker', [policy(statement('kms:CreateKey'))])
  const both = user('both', [policy(statement(['kms:ReplicateKey', 'kms:CreateKey']))])
  t.equal(
    await verdict(maker, 'ReplicateKey', asked),
    denied(maker, 'ReplicateKey', arnOf(KeyId), missing(NO_OWN, 'ReplicateKey')),
  )
  t.equal(
    await verdict(replicator, 'ReplicateKey', asked),
    denied(replicator, 'CreateKey', '*', missing(NO_OWN, 'CreateKey')),
  )
  t.match(
    await verdict(both, 'ReplicateKey', { ...asked, Tags: [{ TagKey: 'a', TagValue: 'b' }] }),
    /not authorized to perform: kms:TagResource/,
  )
  t.match(await verdict(admin, 'DescribeKey', { KeyId: inWest(arnOf(KeyId)) }), /^NotFoundException/)
  t.equal(await verdict(both, 'ReplicateKey', asked), 'ok')

  const Policy = keyOf(maker, 'kms:ReplicateKey')
  const byKey = await createKey({ MultiRegion: true, Policy, BypassPolicyLockoutSafetyCheck: true })
  t.equal(
    await verdict(maker, 'ReplicateKey', { KeyId: byKey, ReplicaRegion: WEST }),
    'ok',
    'the key’s own policy allows',
  )
})

t.test('the primary moves by who may with both keys', async (t) => {
  const { verdict, createKey, attempt } = await makeEnforced()
  const mover = user('mover')
  const Policy = keyOf(mover, 'kms:UpdatePrimaryRegion')
  const more = { Policy, BypassPolicyLockoutSafetyCheck: true }
  const KeyId = await createKey({ MultiRegion: true, ...more })
  const replicate = (id: string, input: object) =>
    attempt(user('maker', [policy(statement('kms:*'))]), 'ReplicateKey', { KeyId: id, ReplicaRegion: WEST, ...input })
  t.ok((await replicate(KeyId, {})).message, 'its policy allows nobody to')
  const open = await createKey({ MultiRegion: true })
  await replicate(open, more)
  const asked = { KeyId: open, PrimaryRegion: WEST }
  t.equal(
    await verdict(mover, 'UpdatePrimaryRegion', asked),
    denied(mover, 'UpdatePrimaryRegion', arnOf(open), missing(NO_OWN, 'UpdatePrimaryRegion')),
  )
  t.equal(
    await verdict(user('half', [policy(statement('kms:UpdatePrimaryRegion'))]), 'UpdatePrimaryRegion', asked),
    denied(user('half'), 'UpdatePrimaryRegion', inWest(arnOf(open)), missing(NO_KEY, 'UpdatePrimaryRegion')),
    'the replica’s policy is its own',
  )
})
