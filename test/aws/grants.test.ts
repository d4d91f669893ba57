/** Grants as rows: made, listed, found again, retired and revoked. What they allow is in enforce.test.ts. */
import t from 'tap'
import { arnOf, makeAws, REGION, UNKNOWN_ID } from './support.ts'

const ALICE = 'arn:aws:iam::000000000000:user/alice'
const ROLE = 'arn:aws:iam::000000000000:role/service/App'
const DRY = 'DryRunOperationException: The request would have succeeded, but the DryRun option is set.'

async function make(t: Tap, input: object = {}) {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const KeyId = await aws.createKey(input)
  const request = { KeyId, GranteePrincipal: ALICE, Operations: ['Decrypt', 'Encrypt'] }
  const create = async (more: object = {}) => (await aws.ask('CreateGrant', { ...request, ...more })).body
  const list = async (more: object = {}) => (await aws.ask('ListGrants', { KeyId, ...more })).body
  const refused = (more: object) => aws.refusal('CreateGrant', { ...request, ...more })
  return { ...aws, KeyId, request, create, list, refused }
}
type Tap = { teardown(handler: () => Promise<unknown>): void }

t.test('every member of a grant comes back', async (t) => {
  const { KeyId, create, list } = await make(t)
  const Constraints = { EncryptionContextSubset: { a: 'x' } }
  const { GrantId, GrantToken } = await create({ RetiringPrincipal: ROLE, Constraints, Name: 'first' })
  t.match(GrantId, /^[0-9a-f]{64}$/)
  t.match(GrantToken, /^[\w-]{100,256}$/)
  const { Grants, Truncated } = await list()
  t.equal(Truncated, false)
  t.equal(Grants.length, 1)
  t.same(
    { ...Grants[0], CreationDate: 0 },
    {
      KeyId: arnOf(KeyId),
      GrantId,
      Name: 'first',
      CreationDate: 0,
      GranteePrincipal: ALICE,
      RetiringPrincipal: ROLE,
      IssuingAccount: 'arn:aws:iam::000000000000:root',
      Operations: ['Decrypt', 'Encrypt'],
      Constraints,
    },
  )
  const { GrantId: plain } = await create()
  const { Grants: found } = await list({ GrantId: plain })
  t.same(Object.keys(found[0]).sort(), [
    'CreationDate',
    'GrantId',
    'GranteePrincipal',
    'IssuingAccount',
    'KeyId',
    'Operations',
  ])
})

t.test('under a name the same request makes one grant, at once or after each other', async (t) => {
  const { create, list } = await make(t)
  const Constraints = { EncryptionContextEquals: { a: '1', b: '2' } }
  const named = { Name: 'once', Constraints }
  const answers = await Promise.all(Array.from({ length: 8 }, () => create(named)))
  t.equal(new Set(answers.map(({ GrantId }) => GrantId)).size, 1)
  t.equal(new Set(answers.map(({ GrantToken }) => GrantToken)).size, 8, 'each answer has a token of its own')
  const again = {
    Name: 'once',
    Operations: ['Encrypt', 'Decrypt'],
    Constraints: { EncryptionContextEquals: { b: '2', a: '1' } },
  }
  t.equal((await create(again)).GrantId, answers[0].GrantId, 'order does not matter')
  for (const other of [
    { Name: 'twice' },
    { GranteePrincipal: ROLE },
    { Operations: ['Decrypt'] },
    { RetiringPrincipal: ROLE },
  ]) {
    t.not((await create({ ...named, ...other })).GrantId, answers[0].GrantId, JSON.stringify(other))
  }
  t.equal((await list()).Grants.length, 5)
  const [first, second] = [await create(), await create()]
  t.not(first.GrantId, second.GrantId, 'without a name each request makes one')
})

t.test('lists: pages, filters and limits', async (t) => {
  const { ask, refusal, KeyId, create, list } = await make(t)
  const made: string[] = []
  for (let index = 0; index < 7; index++) {
    const mine = index % 2 === 0 ? { GranteePrincipal: ROLE } : { RetiringPrincipal: ROLE }
    made.push((await create(mine)).GrantId)
  }
  const walk = async (operation: string, input: object): Promise<string[]> => {
    const ids: string[] = []
    let Marker: string | undefined
    do {
      const { body } = await ask(operation, { ...input, Limit: 2, ...(Marker && { Marker }) })
      t.ok(body.Grants.length <= 2)
      ids.push(...body.Grants.map(({ GrantId }: { GrantId: string }) => GrantId))
      Marker = body.NextMarker
      t.equal(body.Truncated, Marker !== undefined)
      if (ids.length === 2) await create({ GranteePrincipal: 'arn:aws:iam::000000000000:user/late' })
    } while (Marker !== undefined)
    return ids
  }
  const all = await walk('ListGrants', { KeyId })
  t.equal(new Set(all).size, all.length, 'each once')
  t.ok(
    made.every((id) => all.includes(id)),
    'and none left out by what was made meanwhile',
  )
  const byGrantee = await walk('ListGrants', { KeyId: arnOf(KeyId), GranteePrincipal: ROLE })
  t.same(byGrantee.sort(), made.filter((_, index) => index % 2 === 0).sort())
  const retirable = await walk('ListRetirableGrants', { RetiringPrincipal: ROLE })
  t.same(retirable.sort(), made.filter((_, index) => index % 2 === 1).sort())
  t.same((await list({ GrantId: made[0] })).Grants.length, 1)
  t.same((await list({ GrantId: made[0], GranteePrincipal: ALICE })).Grants, [])
  t.same((await list({ GrantId: '0'.repeat(64) })).Grants, [])
  t.equal(await refusal('ListGrants', { KeyId, GrantId: 'no grant' }), 'InvalidGrantIdException')
  t.equal(await refusal('ListGrants', { KeyId, Marker: 'x' }), 'InvalidMarkerException')
  t.match(await refusal('ListGrants', { KeyId, Limit: 101 }), /less than or equal to 100/)
  t.match(await refusal('ListRetirableGrants', { RetiringPrincipal: 'x' }), /^InvalidArnException/)
})

t.test('what is refused', async (t) => {
  const { refusal, refused, request, ask, KeyId } = await make(t)
  for (const principal of ['alice', '000000000000', 'logs.amazonaws.com', 'arn:aws:iam::000000000000:group/g']) {
    const message = `InvalidArnException: ARN does not refer to a valid principal: ${principal}`
    t.equal(await refused({ GranteePrincipal: principal }), message)
    t.equal(await refused({ RetiringPrincipal: principal }), message)
  }
  t.match(await refused({ Operations: [] }), /^ValidationException/)
  t.match(await refused({ Operations: ['DisableKey'] }), /^ValidationException.*enum value set/)
  t.match(await refused({ Name: 'a b' }), /^ValidationException.*'name'/)
  t.match(await refused({ Operations: ['Sign'] }), /^ValidationException: Invalid operations: Sign is not supported/)
  const many = Object.fromEntries(Array.from({ length: 9 }, (_, index) => [`k${index}`, 'v']))
  t.match(
    await refused({ Constraints: { EncryptionContextEquals: many } }),
    /^ValidationException: EncryptionContextEquals/,
  )
  const long = { EncryptionContextSubset: { k: 'v'.repeat(384) } }
  t.match(await refused({ Constraints: long }), /^ValidationException: EncryptionContextSubset/)
  t.equal(await refused({ GrantTokens: ['garbage'] }), 'InvalidGrantTokenException')
  t.match(await refusal('CreateGrant', { ...request, KeyId: 'alias/x' }), /^InvalidArnException/)
  t.equal(
    await refusal('CreateGrant', { ...request, KeyId: UNKNOWN_ID }),
    `NotFoundException: Key '${arnOf(UNKNOWN_ID)}' does not exist`,
  )
  const foreign = arnOf(KeyId).replace('000000000000', '999999999999')
  t.equal(
    await refusal('CreateGrant', { ...request, KeyId: foreign }),
    `NotFoundException: Key '${foreign}' does not exist`,
    'an account that is not served here',
  )
  await ask('DisableKey', { KeyId })
  t.equal(await refused({}), `DisabledException: ${arnOf(KeyId)} is disabled.`)
  await ask('ScheduleKeyDeletion', { KeyId })
  t.equal(await refused({}), `KMSInvalidStateException: ${arnOf(KeyId)} is pending deletion.`)
})

t.test('a key is granted only what it can do', async (t) => {
  const { createKey, refusal } = await make(t)
  const rows = [
    [
      { KeySpec: 'RSA_2048', KeyUsage: 'ENCRYPT_DECRYPT' },
      ['Decrypt', 'ReEncryptTo', 'GetPublicKey'],
      'GenerateDataKey',
    ],
    [{ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' }, ['Sign', 'Verify', 'DescribeKey'], 'Encrypt'],
    [{ KeySpec: 'ECC_NIST_P256', KeyUsage: 'KEY_AGREEMENT' }, ['DeriveSharedSecret', 'CreateGrant'], 'Sign'],
    [
      { KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' },
      ['GenerateMac', 'VerifyMac', 'RetireGrant'],
      'GetPublicKey',
    ],
    [{ KeySpec: 'ML_KEM_768', KeyUsage: 'ENCAPSULATE_DECAPSULATE' }, ['Encapsulate', 'Decapsulate'], 'Decrypt'],
  ] as const
  for (const [spec, able, unable] of rows) {
    const request = { KeyId: await createKey(spec), GranteePrincipal: ALICE }
    t.equal(await refusal('CreateGrant', { ...request, Operations: able }), 'ok', spec.KeyUsage)
    t.match(
      await refusal('CreateGrant', { ...request, Operations: [...able, unable] }),
      `Invalid operations: ${unable} is not`,
    )
    t.match(
      await refusal('CreateGrant', {
        ...request,
        Operations: able,
        Constraints: { EncryptionContextSubset: { a: 'b' } },
      }),
      /^ValidationException: Invalid constraints: /,
    )
  }
})

t.test('retired by its token or by its name, revoked by its name', async (t) => {
  const { ask, refusal, KeyId, create, list } = await make(t)
  const ids = async () => (await list()).Grants.map(({ GrantId }: { GrantId: string }) => GrantId)
  const one = await create({ Name: 'one' })
  const other = await create({ Name: 'one' })
  t.equal(await refusal('RetireGrant', { GrantToken: one.GrantToken, DryRun: true }), DRY)
  t.same(await ids(), [one.GrantId])
  t.equal((await ask('RetireGrant', { GrantToken: other.GrantToken })).text, '')
  t.same(await ids(), [], 'by any token of it')
  const gone = `NotFoundException: Grant ID ${one.GrantId} not found`
  t.equal(await refusal('RetireGrant', { GrantToken: one.GrantToken }), gone)

  const two = await create()
  t.equal(await refusal('RetireGrant', { KeyId: arnOf(KeyId), GrantId: two.GrantId }), 'ok')
  t.same(await ids(), [])
  const three = await create()
  t.equal(await refusal('RevokeGrant', { KeyId, GrantId: three.GrantId, DryRun: true }), DRY)
  t.equal((await ask('RevokeGrant', { KeyId, GrantId: three.GrantId })).text, '')
  t.equal(
    await refusal('RevokeGrant', { KeyId, GrantId: three.GrantId }),
    `NotFoundException: Grant ID ${three.GrantId} not found`,
  )

  const four = await create()
  const another = (await ask('CreateKey', {})).body.KeyMetadata.KeyId
  t.match(
    await refusal('RevokeGrant', { KeyId: another, GrantId: four.GrantId }),
    /^NotFoundException/,
    'of another key',
  )
  const WHICH = 'ValidationException: Grant token OR (grant ID, key ID) must be specified'
  for (const input of [{}, { KeyId }, { GrantId: four.GrantId }, { GrantToken: four.GrantToken, KeyId }]) {
    t.equal(await refusal('RetireGrant', input), WHICH, JSON.stringify(Object.keys(input)))
  }
  const bytes = Buffer.from(four.GrantToken, 'base64url')
  bytes.writeUInt8(bytes.readUInt8(20) ^ 1, 20)
  for (const GrantToken of [bytes.toString('base64url'), 'x', `${four.GrantToken}=`, 'a'.repeat(8192)]) {
    t.equal(await refusal('RetireGrant', { GrantToken }), 'InvalidGrantTokenException')
  }
  t.same(await ids(), [four.GrantId])
})

t.test('a grant and a change of its key do not pass each other by', async (t) => {
  const { ask, refused, list, store, KeyId } = await make(t)
  const commit = store.commit.bind(store)
  let raced = false
  store.commit = async (writes) => {
    if (!raced && writes.some(({ collection }) => collection === 'grants')) {
      raced = true
      await ask('DisableKey', { KeyId })
    }
    return commit(writes)
  }
  t.equal(await refused({}), `DisabledException: ${arnOf(KeyId)} is disabled.`)
  t.ok(raced)
  t.same((await list()).Grants, [])
})

t.test('dry runs make nothing, and refuse what would be refused', async (t) => {
  const { list, refused } = await make(t)
  t.equal(await refused({ DryRun: true }), DRY)
  t.match(await refused({ DryRun: true, Operations: ['Sign'] }), /^ValidationException/)
  t.same((await list()).Grants, [])
})

t.test('a key takes its grants with it', async (t) => {
  const { ask, create, store, KeyId, advance } = await make(t)
  await create()
  await create({ Name: 'n' })
  await ask('ScheduleKeyDeletion', { KeyId, PendingWindowInDays: 7 })
  t.equal((await ask('ListGrants', { KeyId })).body.Grants.length, 2, 'not before it goes')
  await advance(8 * 86_400_000)
  t.equal(await store.count('grants', 'key', []), 0)
})

t.test('tokens are taken by every operation that AWS lets have them', async (t) => {
  const { refusal, create, KeyId } = await make(t)
  const { GrantToken } = await create()
  const Plaintext = 'aGk='
  const context = { region: REGION }
  t.equal(await refusal('Encrypt', { KeyId, Plaintext, GrantTokens: [GrantToken] }, context), 'ok')
  t.equal(await refusal('DescribeKey', { KeyId, GrantTokens: [GrantToken] }), 'ok')
  t.equal(await refusal('DescribeKey', { KeyId, GrantTokens: ['garbage'] }), 'ok', 'it has no error for them')
  t.equal(await refusal('GetPublicKey', { KeyId, GrantTokens: ['garbage'] }), 'InvalidGrantTokenException')
  t.match(await refusal('DescribeKey', { KeyId, GrantTokens: Array(11).fill(GrantToken) }), /^ValidationException/)
})

t.test('a key has fifty thousand grants and no more', async (t) => {
  const { KeyId, create, refused, refusal, store } = await make(t)
  const { GrantId } = await create()
  const first = await store.get('grants', GrantId)
  if (first === undefined) throw new Error('no grant')
  const { revision: _, ...grant } = first
  const AT_ONCE = 5_000
  for (let made = 1; made < 50_000; ) {
    const rows = Array.from({ length: Math.min(AT_ONCE, 50_000 - made) }, (_, index) => ({
      ...grant,
      id: (made + index).toString(16).padStart(64, '0'),
    }))
    await store.commit(rows.map((row) => ({ kind: 'insert', collection: 'grants', row }) as const))
    made += rows.length
  }
  t.match(await refused({}), /^LimitExceededException/)
  t.equal(await refusal('RevokeGrant', { KeyId, GrantId }), 'ok')
  t.equal(await refused({}), 'ok')
})
