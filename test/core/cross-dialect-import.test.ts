/** Imported material under three dialects: its end disables its key everywhere, until the same material is back. */
import { constants, createPublicKey, publicEncrypt } from 'node:crypto'
import t from 'tap'
import { DIALECTS } from '../../src/core/key.ts'
import { createKey } from '../../src/core/ops/create-key.ts'
import { createVersion } from '../../src/core/ops/create-version.ts'
import { decrypt } from '../../src/core/ops/decrypt.ts'
import { deleteMaterial } from '../../src/core/ops/delete-material.ts'
import { destroyVersion, restoreVersion } from '../../src/core/ops/destroy-version.ts'
import { encrypt } from '../../src/core/ops/encrypt.ts'
import { getKey } from '../../src/core/ops/get-key.ts'
import { importKey } from '../../src/core/ops/import-key.ts'
import { importMaterial } from '../../src/core/ops/import-material.ts'
import { getImportParameters, type ImportParameters } from '../../src/core/ops/import-parameters.ts'
import { rotateKey } from '../../src/core/ops/rotate-key.ts'
import { setCurrent } from '../../src/core/ops/set-current.ts'
import { setRotation } from '../../src/core/ops/set-rotation.ts'
import { setVersionEnabled } from '../../src/core/ops/set-version-enabled.ts'
import { days } from '../../src/core/rotation.ts'
import { Secret } from '../../src/core/secret.ts'
import { makeKernel, type TestKernel } from '../support/kernel.ts'

const DAY = 86_400_000
const ring = { by: 'default' } as const
const key = { by: 'name', ring, name: 'k' } as const
const plaintext = Buffer.from('trefoil')
const MATERIAL = Buffer.alloc(32, 7)
const OTHER = Buffer.alloc(32, 8)
const PAIRS = DIALECTS.flatMap((one) => DIALECTS.map((other) => [one, other] as const))
const sealing = { key, algorithm: 'envelope', plaintext } as const

type Bring = { readonly expiresAt?: number; readonly material?: 'new' }

const kept = new WeakMap<TestKernel, ImportParameters>()

/** Each kernel's, as long as they may be used. */
async function parametersOf(kernel: TestKernel): Promise<ImportParameters> {
  const known = kept.get(kernel)
  if (known !== undefined && known.expiresAt > kernel.clock.now()) return known
  const asked = { key, wrapping: 'rsa_oaep_sha256', wrappingKey: 'rsa_2048' } as const
  const fresh = await kernel.run('aws', getImportParameters, asked)
  kept.set(kernel, fresh)
  return fresh
}

/** What only AWS's callers can do: any material, with or without a date. */
async function bring(kernel: TestKernel, material: Buffer, more: Bring = {}) {
  const { spki, token } = await parametersOf(kernel)
  const publicKey = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' })
  const padding = constants.RSA_PKCS1_OAEP_PADDING
  const wrapped = publicEncrypt({ key: publicKey, padding, oaepHash: 'sha256' }, material)
  return kernel.run('aws', importMaterial, { key, token, wrapped, ...more })
}

/** Each dialect's way to an imported key. */
async function makeImported(kernel: TestKernel, maker: (typeof DIALECTS)[number]): Promise<void> {
  if (maker === 'aws') {
    await kernel.run('aws', createKey, { ring, name: 'k', spec: 'aes_256', pendingImport: true })
    await bring(kernel, MATERIAL)
    return
  }
  const material = new Secret(Uint8Array.from(MATERIAL))
  const input = { ring, name: 'k', spec: 'aes_256', defaultUses: ['encrypt', 'decrypt'], material } as const
  await kernel.run(maker, importKey, input)
}

for (const [maker, user] of PAIRS) {
  t.test(`material that ${maker} imported ends for ${user} with its date, and with its deletion`, async (t) => {
    const kernel = await makeKernel()
    const { run, code, advance, clock, failures } = kernel
    await makeImported(kernel, maker)
    const { ciphertext } = await run(user, encrypt, sealing)
    const opening = { key, algorithm: 'envelope', ciphertext } as const
    await bring(kernel, MATERIAL, { expiresAt: clock.now() + DAY })
    t.equal(await code(run(user, encrypt, sealing)), 'ok')
    clock.time += DAY
    t.equal(await code(run(user, encrypt, sealing)), 'key_pending_import', 'before the clock came to it')
    await advance(0)
    for (const work of [run(user, encrypt, sealing), run(user, decrypt, opening)]) {
      t.equal(await code(work), 'key_pending_import', 'expired')
    }
    t.not(await code(run(user, createVersion, { key, makeCurrent: true })), 'ok', 'nothing is generated instead')
    t.not(await code(run(user, rotateKey, { key, kind: 'any' })), 'ok')
    t.not(await code(run(user, setVersionEnabled, { key, version: { by: 'number', number: 1 }, enabled: true })), 'ok')
    t.not(await code(run(user, setCurrent, { key, version: { by: 'number', number: 1 } })), 'ok')
    const policy = { rotate: { from: 'creation', duration: days(90) }, anchor: 'schedule' } as const
    t.not(await code(run(user, setRotation, { key, kind: 'any', policy })), 'ok')
    t.equal(await code(bring(kernel, OTHER)), 'material_mismatch')
    await bring(kernel, MATERIAL)
    t.same(Buffer.from((await run(user, decrypt, opening)).plaintext), plaintext, 'the same material is back')
    await run('aws', deleteMaterial, { key })
    t.equal(await code(run(user, decrypt, opening)), 'key_pending_import', 'deleted')
    t.equal((await run(user, getKey, { key })).key.state, 'pending_import')
    await bring(kernel, MATERIAL)
    t.same(Buffer.from((await run(user, decrypt, opening)).plaintext), plaintext)
    t.same(failures, [])
  })
}

t.test(
  'a version that another dialect disabled, or meant to destroy, does not come back with its material',
  async (t) => {
    for (const dialect of ['azure', 'gcp'] as const) {
      const kernel = await makeKernel()
      const { run, code, advance, clock } = kernel
      await makeImported(kernel, 'aws')
      const version = { by: 'number', number: 1 } as const
      await run(dialect, setVersionEnabled, { key, version, enabled: false })
      await run('aws', deleteMaterial, { key })
      const back = await bring(kernel, MATERIAL)
      t.equal(back.version.state, 'disabled')
      t.equal(await code(run('aws', encrypt, sealing)), 'version_disabled')
      await run(dialect, setVersionEnabled, { key, version, enabled: true })
      t.equal(await code(run('aws', encrypt, sealing)), 'ok')
      await bring(kernel, MATERIAL, { expiresAt: clock.now() + DAY })
      await run(dialect, destroyVersion, { key, version })
      await advance(DAY)
      t.equal(await code(run(dialect, restoreVersion, { key, version })), 'version_state', 'its material is gone')
      t.equal(await code(run('aws', encrypt, sealing)), 'version_destroyed')
      await bring(kernel, MATERIAL)
      t.equal(await code(run('aws', encrypt, sealing)), 'ok', 'what was imported once may be imported again')
    }
  },
)

t.test('a version that waits for its rotation is disabled; whoever makes it current ends the wait', async (t) => {
  const kernel = await makeKernel()
  const { run, code } = kernel
  await makeImported(kernel, 'aws')
  await bring(kernel, OTHER, { material: 'new' })
  const version = { by: 'number', number: 2 } as const
  t.equal(await code(run('gcp', setCurrent, { key, version })), 'version_disabled')
  await run('gcp', setVersionEnabled, { key, version, enabled: true })
  await run('gcp', setCurrent, { key, version })
  t.equal(await code(run('aws', rotateKey, { key, kind: 'symmetric', toPending: true })), 'material_not_pending')
  t.equal((await run('aws', encrypt, sealing)).version.number, 2)
  await run('aws', deleteMaterial, { key })
  t.equal(await code(run('gcp', encrypt, sealing)), 'key_pending_import', 'it is the key’s own now')
})

t.test('what Azure generated before it imported can’t be deleted', async (t) => {
  const kernel = await makeKernel()
  const { run, code } = kernel
  const input = { ring, name: 'k', spec: 'aes_256', defaultUses: ['encrypt', 'decrypt'] } as const
  const { current } = await run('azure', createKey, { ...input, uses: input.defaultUses })
  await run('azure', importKey, { ...input, material: new Secret(Uint8Array.from(MATERIAL)) })
  const generated = { key, materialId: current?.materialId } as const
  t.equal(await code(run('aws', deleteMaterial, generated)), 'unsupported_operation')
  t.equal(await code(run('aws', deleteMaterial, { key })), 'ok')
  t.equal(await code(run('azure', encrypt, sealing)), 'key_pending_import')
})
