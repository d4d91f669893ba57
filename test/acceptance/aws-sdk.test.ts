/** The unmodified JavaScript SDK against the real process. */
import { createHash, createPublicKey, verify } from 'node:crypto'
import {
  AlreadyExistsException,
  CancelKeyDeletionCommand,
  CreateAliasCommand,
  CreateKeyCommand,
  DecryptCommand,
  DeleteAliasCommand,
  DescribeKeyCommand,
  DisabledException,
  DisableKeyCommand,
  EnableKeyCommand,
  EncryptCommand,
  GenerateDataKeyCommand,
  GetKeyPolicyCommand,
  GetKeyRotationStatusCommand,
  GetPublicKeyCommand,
  InvalidCiphertextException,
  KMSInvalidSignatureException,
  KMSInvalidStateException,
  ListGrantsCommand,
  ListResourceTagsCommand,
  NotFoundException,
  paginateListAliases,
  paginateListKeys,
  ScheduleKeyDeletionCommand,
  SignCommand,
  VerifyCommand,
} from '@aws-sdk/client-kms'
import { onEachBackend } from '../support/backends.ts'
import { clientOf } from './aws-client.ts'
import { enforcing } from './aws-tools.ts'

const MESSAGE = Buffer.from('a message for every cloud')

onEachBackend('the slice, by the JavaScript SDK', async (t, { start }) => {
  const trefoil = await start(enforcing())
  const client = clientOf(trefoil.plainUrl)
  t.teardown(async () => {
    client.destroy()
    await trefoil.stop()
  })

  await t.test('symmetric keys', async (t) => {
    const { KeyMetadata } = await client.send(new CreateKeyCommand({ Tags: [{ TagKey: 'k', TagValue: 'v' }] }))
    const KeyId = KeyMetadata?.KeyId ?? ''
    t.ok(Math.abs((KeyMetadata?.CreationDate?.getTime() ?? 0) - Date.now()) < 60_000, 'seconds, not milliseconds')
    t.same((await client.send(new ListResourceTagsCommand({ KeyId }))).Tags, [{ TagKey: 'k', TagValue: 'v' }])
    t.equal((await client.send(new GetKeyRotationStatusCommand({ KeyId }))).KeyRotationEnabled, false)
    t.ok(JSON.parse((await client.send(new GetKeyPolicyCommand({ KeyId }))).Policy ?? ''))

    const EncryptionContext = { purpose: 'acceptance', ключ: '値' }
    const { CiphertextBlob } = await client.send(new EncryptCommand({ KeyId, Plaintext: MESSAGE, EncryptionContext }))
    const opened = await client.send(new DecryptCommand({ CiphertextBlob, EncryptionContext }))
    t.same(Buffer.from(opened.Plaintext ?? []), MESSAGE)
    await t.rejects(client.send(new DecryptCommand({ CiphertextBlob })), InvalidCiphertextException)
    const dataKey = await client.send(new GenerateDataKeyCommand({ KeyId, KeySpec: 'AES_256' }))
    const again = await client.send(new DecryptCommand({ CiphertextBlob: dataKey.CiphertextBlob }))
    t.same(again.Plaintext, dataKey.Plaintext)

    await client.send(new DisableKeyCommand({ KeyId }))
    await t.rejects(client.send(new EncryptCommand({ KeyId, Plaintext: MESSAGE })), DisabledException)
    await client.send(new EnableKeyCommand({ KeyId }))
    const { DeletionDate } = await client.send(new ScheduleKeyDeletionCommand({ KeyId, PendingWindowInDays: 7 }))
    t.ok(Math.abs((DeletionDate?.getTime() ?? 0) - Date.now() - 7 * 86_400_000) < 60_000)
    await t.rejects(client.send(new EnableKeyCommand({ KeyId })), KMSInvalidStateException)
    await client.send(new CancelKeyDeletionCommand({ KeyId }))
    t.equal((await client.send(new DescribeKeyCommand({ KeyId }))).KeyMetadata?.KeyState, 'Disabled')
    t.same((await client.send(new ListGrantsCommand({ KeyId }))).Grants, [])
  })

  for (const [KeySpec, SigningAlgorithm, hash] of [
    ['ECC_NIST_P256', 'ECDSA_SHA_256', 'sha256'],
    ['ECC_NIST_P384', 'ECDSA_SHA_384', 'sha384'],
    ['ECC_NIST_P521', 'ECDSA_SHA_512', 'sha512'],
    ['RSA_2048', 'RSASSA_PKCS1_V1_5_SHA_256', 'sha256'],
  ] as const) {
    await t.test(`${KeySpec} signatures, over messages and digests`, async (t) => {
      const { KeyMetadata } = await client.send(new CreateKeyCommand({ KeySpec, KeyUsage: 'SIGN_VERIFY' }))
      const KeyId = KeyMetadata?.KeyId ?? ''
      const { PublicKey } = await client.send(new GetPublicKeyCommand({ KeyId }))
      const key = createPublicKey({ key: Buffer.from(PublicKey ?? []), format: 'der', type: 'spki' })
      const digest = createHash(hash).update(MESSAGE).digest()
      for (const [MessageType, Message] of [
        ['RAW', MESSAGE],
        ['DIGEST', digest],
      ] as const) {
        const { Signature } = await client.send(new SignCommand({ KeyId, Message, MessageType, SigningAlgorithm }))
        t.ok(verify(hash, MESSAGE, key, Buffer.from(Signature ?? [])), `${MessageType}: the local verifier agrees`)
        const other = MessageType === 'RAW' ? { Message: digest, MessageType: 'DIGEST' as const } : { Message: MESSAGE }
        const verdict = await client.send(new VerifyCommand({ KeyId, ...other, Signature, SigningAlgorithm }))
        t.equal(verdict.SignatureValid, true)
        const wrong = new VerifyCommand({ KeyId, Message: Buffer.from('another'), Signature, SigningAlgorithm })
        await t.rejects(client.send(wrong), KMSInvalidSignatureException)
      }
    })
  }

  await t.test('aliases and lists', async (t) => {
    const { KeyMetadata } = await client.send(new CreateKeyCommand({}))
    const TargetKeyId = KeyMetadata?.KeyId ?? ''
    const names = ['alias/one', 'alias/three', 'alias/two']
    for (const AliasName of names) await client.send(new CreateAliasCommand({ AliasName, TargetKeyId }))
    await t.rejects(
      client.send(new CreateAliasCommand({ AliasName: 'alias/one', TargetKeyId })),
      AlreadyExistsException,
    )
    const listed: (string | undefined)[] = []
    for await (const page of paginateListAliases({ client, pageSize: 2 }, { KeyId: TargetKeyId })) {
      listed.push(...(page.Aliases ?? []).map((alias) => alias.AliasName))
    }
    t.same(listed, names)
    await client.send(new DeleteAliasCommand({ AliasName: 'alias/one' }))
    await t.rejects(client.send(new DescribeKeyCommand({ KeyId: 'alias/one' })), NotFoundException)
    const keys: (string | undefined)[] = []
    for await (const page of paginateListKeys({ client, pageSize: 2 }, {}))
      keys.push(...(page.Keys ?? []).map((key) => key.KeyId))
    t.equal(new Set(keys).size, 6)
    t.ok(keys.includes(TargetKeyId))
  })
})
