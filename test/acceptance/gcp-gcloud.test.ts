/** `gcloud kms` as it is, against the real process. About a second a command. */
import { execFile, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { startTrefoil } from '../support/process.ts'

const missing = (tool: string): string | false =>
  spawnSync('sh', ['-c', `command -v ${tool}`]).status === 0 ? false : `no tool: ${tool}`

type Failed = { readonly code: number; readonly stdout: string; readonly stderr: string }

t.test('gcloud kms', { skip: missing('gcloud') || missing('openssl'), timeout: 180_000 }, async (t) => {
  const server = await startTrefoil()
  const directory = mkdtempSync(join(tmpdir(), 'trefoil-gcloud-'))
  t.teardown(async () => {
    rmSync(directory, { recursive: true, force: true })
    await server.stop()
  })
  // A CA bundle named in the environment would win over every setting, were it there.
  const own = Object.entries(process.env).filter(
    ([name]) => !/^(CLOUDSDK_|TREFOIL_|REQUESTS_CA_BUNDLE$)|_proxy$/i.test(name),
  )
  const env = {
    ...Object.fromEntries(own),
    CLOUDSDK_CONFIG: directory,
    CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS: `${server.plainUrl}/`,
    CLOUDSDK_CORE_PROJECT: 'local',
    CLOUDSDK_CORE_DISABLE_PROMPTS: '1',
    CLOUDSDK_AUTH_DISABLE_CREDENTIALS: '1',
  }
  const kms = async (command: string) => {
    const { stdout } = await promisify(execFile)('gcloud', ['kms', ...command.split(' ')], { cwd: directory, env })
    return stdout
  }
  const failing = (command: string): Promise<Failed> =>
    kms(command).then(
      () => Promise.reject(new Error(`succeeded: ${command}`)),
      (error: Failed) => error,
    )
  const json = async (command: string) => JSON.parse(await kms(`${command} --format=json`))
  const file = (name: string): string => join(directory, name)
  const inRing = '--location=global --keyring=ring'
  const version = `${inRing} --key=box`
  writeFileSync(file('plain'), 'hello')
  writeFileSync(file('aad'), 'context')

  await t.test('key rings and keys', async (t) => {
    await kms('keyrings create ring --location=global')
    const rings: { name: string }[] = await json('keyrings list --location=global')
    t.same(
      rings.map(({ name }) => name.split('/').at(-1)),
      ['default', 'ring'],
    )
    await kms(`keys create box ${inRing} --purpose=encryption --labels=team=alpha`)
    const listed = await json(`keys list ${inRing}`)
    t.match(listed, [{ purpose: 'ENCRYPT_DECRYPT', labels: { team: 'alpha' }, primary: { state: 'ENABLED' } }])
  })

  await t.test('encrypt and decrypt, with checksums both ways', async (t) => {
    await kms(`encrypt ${version} --plaintext-file=plain --ciphertext-file=sealed`)
    await kms(`decrypt ${version} --ciphertext-file=sealed --plaintext-file=opened`)
    t.equal(readFileSync(file('opened'), 'utf8'), 'hello')
    const aad = '--additional-authenticated-data-file=aad'
    await kms(`encrypt ${version} ${aad} --plaintext-file=plain --ciphertext-file=sealed`)
    await kms(`decrypt ${version} ${aad} --ciphertext-file=sealed --plaintext-file=opened`)
    t.equal(readFileSync(file('opened'), 'utf8'), 'hello')
    const { stderr } = await failing(`decrypt ${version} --ciphertext-file=sealed --plaintext-file=opened`)
    t.match(stderr, /INVALID_ARGUMENT: Decryption failed/, 'without the additional data')
  })

  await t.test('signatures that openssl verifies', async (t) => {
    const key = `${inRing} --key=pen`
    await kms(`keys create pen ${inRing} --purpose=asymmetric-signing --default-algorithm=ec-sign-p256-sha256`)
    await kms(
      `asymmetric-sign ${key} --version=1 --digest-algorithm=sha256 --input-file=plain --signature-file=signature`,
    )
    await kms(`keys versions get-public-key 1 ${key} --output-file=public`)
    const args = ['dgst', '-sha256', '-verify', file('public'), '-signature', file('signature'), file('plain')]
    t.match(spawnSync('openssl', args, { encoding: 'utf8' }).stdout, 'Verified OK')
  })

  await t.test('versions', async (t) => {
    await kms(`keys versions create ${version}`)
    t.match(await json(`keys versions disable 2 ${version}`), { state: 'DISABLED' })
    t.match(await json(`keys versions enable 2 ${version}`), { state: 'ENABLED' })
    t.match(await json(`keys versions destroy 2 ${version}`), { state: 'DESTROY_SCHEDULED' })
    t.match(await json(`keys versions restore 2 ${version}`), { state: 'DISABLED' })
    const listed: { state: string }[] = await json(`keys versions list ${version}`)
    t.same(
      listed.map(({ state }) => state),
      ['ENABLED', 'DISABLED'],
    )
  })

  await t.test('errors', async (t) => {
    const failed = await failing(`keys versions describe 9 ${version}`)
    t.match(failed.stderr, /NOT_FOUND: CryptoKeyVersion .*\/cryptoKeyVersions\/9 not found\./)
    t.match(failed.stderr, /reason: RESOURCE_NOT_FOUND/)
  })
})
