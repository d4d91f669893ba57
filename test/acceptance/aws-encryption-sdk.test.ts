/** The AWS Encryption SDK for JavaScript with KMS keyrings against the real process: files that outlive a key's rotation. */
import { buffer } from 'node:stream/consumers'
import {
  AlgorithmSuiteIdentifier,
  buildClient,
  CommitmentPolicy,
  getClient,
  KMS,
  KmsKeyringNode,
  type KmsNodeClientSupplier,
} from '@aws-crypto/client-node'
import {
  CreateAliasCommand,
  CreateKeyCommand,
  DisableKeyCommand,
  EnableKeyCommand,
  KMSClient,
  RotateKeyOnDemandCommand,
} from '@aws-sdk/client-kms'
import t from 'tap'
import { startTrefoil } from '../support/process.ts'
import { CREDENTIALS, enforcing } from './aws-tools.ts'

const SECRET = Buffer.from('what the application keeps')
const CONTEXT = { purpose: 'acceptance', ключ: '値' }

t.test('messages of the AWS Encryption SDK', async (t) => {
  const trefoil = await startTrefoil(enforcing())
  const settings = {
    endpoint: trefoil.plainUrl,
    credentials: CREDENTIALS,
    maxAttempts: 1,
  }
  const client = new KMSClient({ ...settings, region: 'us-east-1' })
  t.teardown(async () => {
    client.destroy()
    await trefoil.stop()
  })
  const createKey = async () => (await client.send(new CreateKeyCommand({}))).KeyMetadata?.Arn ?? ''
  // The two packages' types differ in what may be undefined.
  const clientProvider: KmsNodeClientSupplier = getClient(KMS as never, settings)
  const [one, two, other] = [await createKey(), await createKey(), await createKey()]
  const keyring = (generatorKeyId: string, keyIds: string[] = []) =>
    new KmsKeyringNode({ clientProvider, generatorKeyId, keyIds })
  const opener = (...keyIds: string[]) => new KmsKeyringNode({ clientProvider, keyIds })

  for (const policy of Object.values(CommitmentPolicy)) {
    await t.test(`under ${policy}`, async (t) => {
      const { encrypt, decrypt } = buildClient(policy)
      const { result } = await encrypt(keyring(one, [two]), SECRET, { encryptionContext: CONTEXT })
      t.notOk(result.includes(SECRET))
      for (const ring of [keyring(one), opener(one), opener(two), keyring(other, [two])]) {
        const { plaintext, messageHeader } = await decrypt(ring, result)
        t.same(plaintext, SECRET)
        t.match(messageHeader.encryptionContext, CONTEXT)
        t.equal(messageHeader.encryptedDataKeys.length, 2)
      }
      await t.rejects(decrypt(opener(other), result), 'a key that the message is not for')
      const wrong = Buffer.from(result)
      wrong[wrong.length - 1] = (wrong.at(-1) ?? 0) ^ 1
      await t.rejects(decrypt(opener(one), wrong))
      const found = new KmsKeyringNode({
        clientProvider,
        discovery: true,
        discoveryFilter: { accountIDs: ['000000000000'], partition: 'aws' },
      })
      t.same((await decrypt(found, result)).plaintext, SECRET, 'by discovery')
    })
  }

  await t.test('without commitment, refused where it is required', async (t) => {
    const suiteId = AlgorithmSuiteIdentifier.ALG_AES256_GCM_IV12_TAG16_HKDF_SHA256
    const loose = buildClient(CommitmentPolicy.FORBID_ENCRYPT_ALLOW_DECRYPT)
    const { result } = await loose.encrypt(keyring(one), SECRET, { suiteId })
    t.same((await loose.decrypt(opener(one), result)).plaintext, SECRET)
    const strict = buildClient(CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT)
    await t.rejects(strict.decrypt(opener(one), result))
  })

  await t.test('streams, aliases, and keys that rotate or are disabled', async (t) => {
    const { encrypt, encryptStream, decrypt, decryptUnsignedMessageStream } = buildClient()
    await client.send(new CreateAliasCommand({ AliasName: 'alias/files', TargetKeyId: one }))
    const { result } = await encrypt(keyring(one.replace(/key\/.*/, 'alias/files')), SECRET)
    await client.send(new RotateKeyOnDemandCommand({ KeyId: one }))
    t.same((await decrypt(opener(one), result)).plaintext, SECRET, 'after rotation')
    const suiteId = AlgorithmSuiteIdentifier.ALG_AES256_GCM_IV12_TAG16_HKDF_SHA512_COMMIT_KEY
    const large = Buffer.alloc(300_000, 7)
    const sealing = encryptStream(keyring(one), { suiteId, frameLength: 4096 })
    sealing.end(large)
    const sealed = await buffer(sealing)
    const opening = decryptUnsignedMessageStream(opener(one))
    opening.end(sealed)
    t.ok((await buffer(opening)).equals(large), 'a stream')
    await client.send(new DisableKeyCommand({ KeyId: one }))
    await t.rejects(decrypt(opener(one), result), /disabled/)
    await client.send(new EnableKeyCommand({ KeyId: one }))
    t.same((await decrypt(opener(one), result)).plaintext, SECRET)
  })
})
