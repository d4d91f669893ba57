/** Imported key material: the unmodified JavaScript SDK against the real process, restarts and the clock included. */
import { constants, createPublicKey, publicEncrypt, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  CreateKeyCommand,
  DecryptCommand,
  DeleteImportedKeyMaterialCommand,
  DescribeKeyCommand,
  EncryptCommand,
  ExpiredImportTokenException,
  GetParametersForImportCommand,
  ImportKeyMaterialCommand,
  type ImportKeyMaterialCommandInput,
  IncorrectKeyMaterialException,
  InvalidCiphertextException,
  InvalidImportTokenException,
  KMSInvalidStateException,
  paginateListKeyRotations,
  RotateKeyOnDemandCommand,
  UnsupportedOperationException,
} from '@aws-sdk/client-kms'
import t from 'tap'
import { startTrefoil } from '../support/process.ts'
import { clientOf } from './aws-client.ts'
import { enforcing } from './aws-tools.ts'

const Plaintext = Buffer.from('attack at dawn')
const FOREVER = { ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE' } as const
const DAY_S = 86_400

t.test('a key of one’s own, over restarts and the end of its material', async (t) => {
  const dataDir = mkdtempSync(join(tmpdir(), 'trefoil-import-'))
  let trefoil = await startTrefoil(enforcing({ dataDir }))
  let client = clientOf(trefoil.plainUrl, 2)
  t.teardown(async () => {
    client.destroy()
    await trefoil.stop()
    rmSync(dataDir, { recursive: true })
  })
  const restart = async () => {
    client.destroy()
    await trefoil.stop()
    trefoil = await startTrefoil(enforcing({ dataDir }))
    client = clientOf(trefoil.plainUrl, 2)
  }
  const advance = async (by: string): Promise<void> => {
    const headers = { 'content-type': 'application/json' }
    const body = JSON.stringify({ advance: by })
    const response = await fetch(`${trefoil.plainUrl}/_/clock`, { method: 'POST', headers, body })
    t.equal(response.status, 200)
  }
  const created = await client.send(new CreateKeyCommand({ Origin: 'EXTERNAL' }))
  const KeyId = created.KeyMetadata?.Arn ?? ''
  t.match(created.KeyMetadata, { KeyState: 'PendingImport', Origin: 'EXTERNAL' })
  const parameters = await client.send(
    new GetParametersForImportCommand({
      KeyId,
      WrappingAlgorithm: 'RSAES_OAEP_SHA_256',
      WrappingKeySpec: 'RSA_3072',
    }),
  )
  const key = createPublicKey({ key: Buffer.from(parameters.PublicKey ?? []), format: 'der', type: 'spki' })
  const wrap = (material: Buffer): Uint8Array =>
    publicEncrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' }, material)
  const bring = (material: Buffer, more: Partial<ImportKeyMaterialCommandInput>) =>
    client.send(
      new ImportKeyMaterialCommand({
        KeyId,
        ImportToken: parameters.ImportToken,
        EncryptedKeyMaterial: wrap(material),
        ...more,
      }),
    )
  const [first, second] = [randomBytes(32), randomBytes(32)]
  await restart()
  const ValidTo = new Date(((parameters.ParametersValidTo?.getTime() ?? 0) / 1000 + 9 * DAY_S) * 1000)
  const { KeyMaterialId } = await bring(first, { ValidTo })
  t.match((await client.send(new DescribeKeyCommand({ KeyId }))).KeyMetadata, {
    KeyState: 'Enabled',
    ExpirationModel: 'KEY_MATERIAL_EXPIRES',
    ValidTo,
    CurrentKeyMaterialId: KeyMaterialId,
  })
  const { CiphertextBlob } = await client.send(new EncryptCommand({ KeyId, Plaintext }))
  await t.rejects(bring(second, FOREVER), IncorrectKeyMaterialException)
  await t.rejects(bring(first, { ...FOREVER, ImportToken: randomBytes(900) }), InvalidImportTokenException)
  await t.rejects(bring(first, { ...FOREVER, EncryptedKeyMaterial: randomBytes(384) }), InvalidCiphertextException)

  await bring(second, { ...FOREVER, ImportType: 'NEW_KEY_MATERIAL', KeyMaterialDescription: 'the second' })
  await client.send(new RotateKeyOnDemandCommand({ KeyId }))
  const listed = []
  for await (const { Rotations = [] } of paginateListKeyRotations(
    { client, pageSize: 1 },
    { KeyId, IncludeKeyMaterial: 'ALL_KEY_MATERIAL' },
  ))
    listed.push(...Rotations)
  t.match(listed, [
    { KeyMaterialId, KeyMaterialState: 'NON_CURRENT', ImportState: 'IMPORTED', ValidTo },
    { KeyMaterialState: 'CURRENT', RotationType: 'ON_DEMAND', KeyMaterialDescription: 'the second', ...FOREVER },
  ])
  t.match(await client.send(new DecryptCommand({ CiphertextBlob })), { KeyMaterialId })

  await advance('11d')
  await t.rejects(client.send(new DecryptCommand({ CiphertextBlob })), KMSInvalidStateException)
  await t.rejects(bring(first, FOREVER), ExpiredImportTokenException)
  await restart()
  t.match((await client.send(new DescribeKeyCommand({ KeyId }))).KeyMetadata, { KeyState: 'PendingImport' })
  await client.send(new DeleteImportedKeyMaterialCommand({ KeyId }))
  const own = (await client.send(new CreateKeyCommand({}))).KeyMetadata?.KeyId
  await t.rejects(client.send(new DeleteImportedKeyMaterialCommand({ KeyId: own })), UnsupportedOperationException)
})
