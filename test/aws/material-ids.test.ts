/** Ids of imported symmetric material: the same for the same bytes here, and no way to guess the bytes by. */
import { createHash, randomBytes } from 'node:crypto'
import t from 'tap'
import { makeAws } from './support.ts'
import { bring, external, FOREVER, metadata, wrapped } from './wrapping.ts'

const plainHash = (material: Buffer): string =>
  createHash('sha256').update('trefoil material aes_256\0').update(material).digest('hex')

t.test('an id is the installation’s own', async (t) => {
  const material = randomBytes(32)
  const ids: string[] = []
  for (let installation = 0; installation < 2; installation++) {
    const aws = await makeAws()
    t.teardown(() => aws.close())
    const keys = [await external(aws), await external(aws)]
    const here = new Set<string>()
    for (const KeyId of keys) {
      t.equal(await bring(aws, KeyId, material), 'ok')
      here.add((await metadata(aws, KeyId)).CurrentKeyMaterialId)
    }
    t.equal(here.size, 1, 'the same bytes, the same id')
    ids.push(...here)
  }
  t.not(ids[0], ids[1])
  t.notOk(ids.includes(plainHash(material)), 'nobody tells it from the bytes alone')
})

t.test('a version that was named before ids were keyed keeps its name', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const material = randomBytes(32)
  const KeyId = await external(aws)
  await bring(aws, KeyId, material)
  const { rows } = await aws.store.page('versions', 'number', [KeyId], undefined, 2)
  const [version] = rows
  if (version === undefined) throw new Error('no version')
  const { revision, ...row } = version
  const former = { ...row, materialId: plainHash(material) }
  await aws.store.commit([{ kind: 'update', collection: 'versions', row: former, revision }])

  const { CiphertextBlob } = (await aws.ask('Encrypt', { KeyId, Plaintext: 'aGk=' })).body
  const deleted = await aws.ask('DeleteImportedKeyMaterial', { KeyId, KeyMaterialId: former.materialId })
  t.equal(deleted.body.KeyMaterialId, former.materialId)
  t.equal(await bring(aws, KeyId, randomBytes(32)), 'IncorrectKeyMaterialException')
  const again = { ...(await wrapped(aws, KeyId, material)), ...FOREVER, KeyMaterialId: former.materialId }
  t.match((await aws.ask('ImportKeyMaterial', again)).body, { KeyMaterialId: former.materialId })
  t.match((await aws.ask('Decrypt', { CiphertextBlob })).body, { Plaintext: 'aGk=', KeyMaterialId: former.materialId })
})
