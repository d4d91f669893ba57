/** Policies and grants enforced, by the unmodified JavaScript SDK against the real process: every request is signed. */
import {
  CreateAliasCommand,
  CreateGrantCommand,
  CreateKeyCommand,
  DecryptCommand,
  DescribeKeyCommand,
  DryRunOperationException,
  EncryptCommand,
  GenerateDataKeyCommand,
  InvalidArnException,
  InvalidGrantTokenException,
  KMSClient,
  KMSServiceException,
  ListRetirableGrantsCommand,
  MalformedPolicyDocumentException,
  NotFoundException,
  PutKeyPolicyCommand,
  paginateListGrants,
  RetireGrantCommand,
  RevokeGrantCommand,
} from '@aws-sdk/client-kms'
import t from 'tap'
import { startTrefoil } from '../support/process.ts'

const HERE = '000000000000'
const THERE = '444455556666'
const arnOf = (name: string, account = HERE): string => `arn:aws:iam::${account}:user/${name}`
const Plaintext = Buffer.from('only for those who may')
const anything = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 'kms:*', Resource: '*' }] }

const USERS = [
  { name: 'admin', policies: [anything] },
  { name: 'alice' },
  { name: 'bob' },
  { name: 'carol', account: THERE, policies: [anything] },
] as const
const secretOf = (name: string): string => `the secret of ${name}`
const idOf = (name: string): string => `AKIA${name.toUpperCase().padEnd(16, '0')}`

const config = {
  auth: { aws: 'enforce' },
  aws: {
    principals: USERS.map((user) => ({
      ...user,
      accessKeys: [{ id: idOf(user.name), secret: { env: `SECRET_${user.name.toUpperCase()}` } }],
    })),
  },
}
const env = Object.fromEntries(USERS.map(({ name }) => [`SECRET_${name.toUpperCase()}`, secretOf(name)]))

/** Has the words of the service. */
const refusal = async (request: Promise<unknown>): Promise<string> => {
  try {
    await request
    return 'ok'
  } catch (error) {
    return error instanceof KMSServiceException ? `${error.name}: ${error.message}` : String(error)
  }
}

t.test('by the JavaScript SDK', async (t) => {
  const trefoil = await startTrefoil({ config, env })
  const clients = new Map<string, KMSClient>()
  for (const { name } of USERS) {
    const credentials = { accessKeyId: idOf(name), secretAccessKey: secretOf(name) }
    clients.set(name, new KMSClient({ endpoint: trefoil.plainUrl, region: 'us-east-1', credentials, maxAttempts: 1 }))
  }
  const as = (name: (typeof USERS)[number]['name']): KMSClient => clients.get(name) as KMSClient
  t.teardown(async () => {
    for (const client of clients.values()) client.destroy()
    await trefoil.stop()
  })
  const { KeyMetadata } = await as('admin').send(new CreateKeyCommand({}))
  const KeyId = KeyMetadata?.Arn ?? ''
  const encrypt = (EncryptionContext?: Record<string, string>) =>
    new EncryptCommand({ KeyId, Plaintext, EncryptionContext })
  const denied = (name: string, action: string, why: string) =>
    `AccessDeniedException: User: ${arnOf(name)} is not authorized to perform: kms:${action} on resource: ${KeyId} ${why}`

  await t.test('a policy decides, and so does the next one', async (t) => {
    const why = 'because no identity-based policy allows the kms:Encrypt action'
    t.equal(await refusal(as('alice').send(encrypt())), denied('alice', 'Encrypt', why))
    const policy = (principal: string, condition: object = {}) =>
      JSON.stringify({
        Version: '2012-10-17',
        Statement: [
          { Effect: 'Allow', Principal: { AWS: `arn:aws:iam::${HERE}:root` }, Action: 'kms:*', Resource: '*' },
          { Effect: 'Allow', Principal: { AWS: principal }, Action: 'kms:Encrypt', Resource: '*', ...condition },
        ],
      })
    const put = (Policy: string) => as('admin').send(new PutKeyPolicyCommand({ KeyId, Policy }))
    await put(policy(arnOf('alice'), { Condition: { StringEquals: { 'kms:EncryptionContext:team': 'red' } } }))
    t.equal(await refusal(as('alice').send(encrypt())), denied('alice', 'Encrypt', why))
    t.equal(await refusal(as('alice').send(encrypt({ team: 'red' }))), 'ok')
    await put(policy(arnOf('carol', THERE)))
    t.equal(
      await refusal(as('alice').send(encrypt({ team: 'red' }))),
      denied('alice', 'Encrypt', why),
      'at the next request',
    )
    t.equal((await as('carol').send(encrypt())).KeyId, KeyId, 'both accounts allow')
    t.match(
      await refusal(as('carol').send(new DescribeKeyCommand({ KeyId }))),
      /^AccessDeniedException: .* the resource does not exist in this Region, no resource-based/,
    )
    const lockout = JSON.stringify({
      ...anything,
      Statement: [{ ...anything.Statement[0], Principal: { AWS: arnOf('bob') } }],
    })
    await t.rejects(put(lockout), MalformedPolicyDocumentException)
    await t.rejects(put('{}'), MalformedPolicyDocumentException)
  })

  await t.test('grants: made, used at once, listed, ended', async (t) => {
    const Constraints = { EncryptionContextSubset: { team: 'blue' } }
    const command = (input: object = {}) =>
      new CreateGrantCommand({
        KeyId,
        GranteePrincipal: arnOf('alice'),
        RetiringPrincipal: arnOf('bob'),
        Operations: ['Encrypt', 'Decrypt', 'GenerateDataKey'],
        Constraints,
        Name: 'blue',
        ...input,
      })
    const { GrantId, GrantToken = '' } = await as('admin').send(command())
    t.equal((await as('admin').send(command())).GrantId, GrantId)
    const EncryptionContext = { team: 'blue', more: '1' }
    const { CiphertextBlob } = await as('alice').send(encrypt(EncryptionContext))
    const opened = await as('alice').send(
      new DecryptCommand({ CiphertextBlob, EncryptionContext, GrantTokens: [GrantToken] }),
    )
    t.same(Buffer.from(opened.Plaintext ?? []), Plaintext)
    await as('alice').send(new GenerateDataKeyCommand({ KeyId, KeySpec: 'AES_256', EncryptionContext }))
    t.match(await refusal(as('alice').send(encrypt({ team: 'red' }))), /^AccessDeniedException/)
    t.match(await refusal(as('bob').send(encrypt(EncryptionContext))), /^AccessDeniedException/)
    t.match(await refusal(as('alice').send(command())), /^AccessDeniedException: .*kms:CreateGrant/)

    const again = Array.from({ length: 4 }, (_, index) => as('admin').send(command({ Name: `more-${index}` })))
    await Promise.all(again)
    const listed: string[] = []
    for await (const { Grants = [] } of paginateListGrants({ client: as('admin'), pageSize: 2 }, { KeyId })) {
      t.ok(Grants.length <= 2)
      for (const grant of Grants) {
        listed.push(grant.GrantId ?? '')
        t.match(grant, {
          KeyId,
          GranteePrincipal: arnOf('alice'),
          IssuingAccount: `arn:aws:iam::${HERE}:root`,
          Constraints,
        })
        t.ok(Math.abs((grant.CreationDate?.getTime() ?? 0) - Date.now()) < 60_000)
      }
    }
    t.equal(new Set(listed).size, 5)
    const retirable = new ListRetirableGrantsCommand({ RetiringPrincipal: arnOf('bob') })
    t.equal((await as('admin').send(retirable)).Grants?.length, 5)

    await t.rejects(as('bob').send(new RetireGrantCommand({ GrantToken, DryRun: true })), DryRunOperationException)
    t.match(
      await refusal(as('alice').send(new RetireGrantCommand({ GrantToken }))),
      /^AccessDeniedException: .*kms:RetireGrant/,
    )
    await as('bob').send(new RetireGrantCommand({ GrantToken }))
    for (const id of listed.filter((id) => id !== GrantId)) {
      t.equal(await refusal(as('alice').send(encrypt(EncryptionContext))), 'ok')
      await as('admin').send(new RevokeGrantCommand({ KeyId, GrantId: id }))
    }
    t.match(await refusal(as('alice').send(encrypt(EncryptionContext))), /^AccessDeniedException/)
    await t.rejects(as('admin').send(new RevokeGrantCommand({ KeyId, GrantId })), NotFoundException)
    await t.rejects(as('admin').send(command({ GranteePrincipal: 'nobody' })), InvalidArnException)
    await t.rejects(as('admin').send(command({ GrantTokens: ['none'] })), InvalidGrantTokenException)
  })

  await t.test('aliases are decided on besides their key', async (t) => {
    const alias = new CreateAliasCommand({ AliasName: 'alias/theirs', TargetKeyId: KeyMetadata?.KeyId })
    t.match(await refusal(as('bob').send(alias)), /^AccessDeniedException: .*kms:CreateAlias/)
    t.equal(await refusal(as('admin').send(alias)), 'ok')
  })
})
