/** `gcloud kms` as it is, against the real process, with openssl judging what comes out. About a second a command. */
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

// Each call of gcloud costs seconds of CPU.
t.setTimeout(15 * 60_000)

t.test('gcloud kms', { skip: missing('gcloud') || missing('openssl'), timeout: 15 * 60_000 }, async (t) => {
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
  let steps = 0
  const kms = async (command: string) => {
    steps += 1
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
  const openssl = (args: string, ...more: string[]) => {
    const { status, stdout, stderr } = spawnSync('openssl', [...args.split(' '), ...more], {
      cwd: directory,
      encoding: 'utf8',
    })
    return status === 0 ? stdout : `openssl ${args}: ${stderr}`
  }
  const clock = async (advance: string): Promise<void> => {
    const body = JSON.stringify({ advance })
    const headers = { 'content-type': 'application/json' }
    const { status } = await fetch(`${server.plainUrl}/_/clock`, { method: 'POST', headers, body })
    if (status !== 200) throw new Error(`the clock answers ${status}`)
  }
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
    // gcloud itself writes what it asks for by a format in base64.
    const exported = async (key: string, format: string): Promise<Buffer> => {
      await kms(
        `keys versions get-public-key 1 ${inRing} --key=${key} --public-key-format=${format} --output-file=coded`,
      )
      return Buffer.from(readFileSync(file('coded'), 'utf8'), 'base64')
    }
    t.equal(String(await exported('pen', 'pem')), readFileSync(file('public'), 'utf8'))
    await kms(`keys create lattice ${inRing} --purpose=asymmetric-signing --default-algorithm=pq-sign-ml-dsa-65`)
    t.equal((await exported('lattice', 'nist-pqc')).length, 1952)
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

  await t.test('signatures and decryption by every kind of key', async (t) => {
    const pss = '-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32'
    const verify = (hash: string) => `dgst -${hash} -verify public -signature signature`
    const raw = 'pkeyutl -verify -pubin -inkey public -rawin -sigfile signature -in plain'
    const kinds = [
      ['rsa-sign-pkcs1-2048-sha256', '--digest-algorithm=sha256', `${verify('sha256')} plain`],
      ['rsa-sign-pss-2048-sha256', '--digest-algorithm=sha256', `${verify('sha256')} ${pss} plain`],
      ['ec-sign-p384-sha384', '--digest-algorithm=sha384', `${verify('sha384')} plain`],
      ['ec-sign-ed25519', '', raw],
    ] as const
    for (const [algorithm, digest, check] of kinds) {
      const key = `${inRing} --key=${algorithm}`
      await kms(`keys create ${algorithm} ${inRing} --purpose=asymmetric-signing --default-algorithm=${algorithm}`)
      await kms(`keys versions get-public-key 1 ${key} --output-file=public`)
      const options = `${key} --version=1 --input-file=plain --signature-file=signature ${digest}`.trim()
      await kms(`asymmetric-sign ${options}`)
      t.match(openssl(check), /Verified OK|Signature Verified Successfully/, algorithm)
    }
    const oaep = '-pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256 -pkeyopt rsa_mgf1_md:sha256'
    const safe = `${inRing} --key=safe`
    const decrypting = '--purpose=asymmetric-encryption --default-algorithm=rsa-decrypt-oaep-2048-sha256'
    await kms(`keys create safe ${inRing} ${decrypting}`)
    await kms(`keys versions get-public-key 1 ${safe} --output-file=public`)
    t.equal(openssl(`pkeyutl -encrypt -pubin -inkey public -in plain -out sealed ${oaep}`), '')
    await kms(`asymmetric-decrypt ${safe} --version=1 --ciphertext-file=sealed --plaintext-file=opened`)
    t.equal(readFileSync(file('opened'), 'utf8'), 'hello')
    const seal = `${inRing} --key=seal --version=1 --input-file=plain --signature-file=mac`
    await kms(`keys create seal ${inRing} --purpose=mac --default-algorithm=hmac-sha256`)
    await kms(`mac-sign ${seal}`)
    t.equal(readFileSync(file('mac')).length, 32)
    await kms(`mac-verify ${seal}`)
  })

  await t.test('keys are changed', async (t) => {
    const update = (name: string, flags: string) => json(`keys update ${name} ${inRing} ${flags}`)
    t.same((await update('box', '--update-labels=env=prod,tier=gold')).labels, {
      team: 'alpha',
      env: 'prod',
      tier: 'gold',
    })
    t.same((await update('box', '--remove-labels=team,tier')).labels, { env: 'prod' })
    t.equal((await update('box', '--clear-labels')).labels, undefined)
    t.match(await update('pen', '--default-algorithm=ec-sign-p384-sha384'), {
      versionTemplate: { algorithm: 'EC_SIGN_P384_SHA384' },
    })
    t.match(await json(`keys versions create ${inRing} --key=pen`), { algorithm: 'EC_SIGN_P384_SHA384' })
    t.match(
      (await failing(`keys update pen ${inRing} --default-algorithm=ec-sign-secp256k1-sha256`)).stderr,
      /Failed to update field\(s\) 'versionTemplate.algorithm'/,
    )
    await kms(`keys versions create ${version} --primary`)
    const primary = async () => (await json(`keys describe box ${inRing}`)).primary.name.split('/').at(-1)
    t.equal(await primary(), '3')
    await kms(`keys set-primary-version box ${inRing} --version=1`)
    t.equal(await primary(), '1')
    await update('box', '--primary-version=3')
    t.equal(await primary(), '3')
    t.match((await failing(`keys set-primary-version box ${inRing} --version=2`)).stderr, /FAILED_PRECONDITION/)
  })

  await t.test('schedules, by the clock', async (t) => {
    const soon = new Date(Date.now() + 86_400_000).toISOString()
    const schedule = `--rotation-period=30d --next-rotation-time=${soon}`
    await kms(`keys create cycle ${inRing} --purpose=encryption ${schedule} --destroy-scheduled-duration=2d`)
    const shown = async () => json(`keys describe cycle ${inRing}`)
    t.match(await shown(), { rotationPeriod: '2592000s', destroyScheduledDuration: '172800s' })
    await kms(`encrypt ${inRing} --key=cycle --plaintext-file=plain --ciphertext-file=sealed`)
    await clock('25h')
    t.match(await shown(), { primary: { name: /\/cryptoKeyVersions\/2$/ } })
    await kms(`decrypt ${inRing} --key=cycle --ciphertext-file=sealed --plaintext-file=opened`)
    t.equal(readFileSync(file('opened'), 'utf8'), 'hello', 'what an older version encrypted')
    await kms(`keys remove-rotation-schedule cycle ${inRing}`)
    t.notOk('rotationPeriod' in (await shown()))
    t.match(await json(`keys versions destroy 1 ${inRing} --key=cycle`), { state: 'DESTROY_SCHEDULED' })
    await clock('49h')
    t.match(await json(`keys versions describe 1 ${inRing} --key=cycle`), { state: 'DESTROYED' })
    t.match(
      (await failing(`decrypt ${inRing} --key=cycle --ciphertext-file=sealed --plaintext-file=opened`)).stderr,
      /is not enabled, current state is: DESTROYED/,
    )
    const later = new Date(Date.now() + 10 * 86_400_000).toISOString()
    await kms(`keys set-rotation-schedule cycle ${inRing} --rotation-period=90d --next-rotation-time=${later}`)
    t.match(await shown(), { rotationPeriod: '7776000s' })
    const past = `keys set-rotation-schedule cycle ${inRing} --rotation-period=30d --next-rotation-time=2020-01-01T00:00:00Z`
    t.match((await failing(past)).stderr, /INVALID_ARGUMENT: The next_rotation_time must be in the future\./)
  })

  await t.test('errors', async (t) => {
    const failed = await failing(`keys versions describe 9 ${version}`)
    t.match(failed.stderr, /NOT_FOUND: CryptoKeyVersion .*\/cryptoKeyVersions\/9 not found\./)
    t.match(failed.stderr, /reason: RESOURCE_NOT_FOUND/)
  })
  t.ok(steps >= 60, `${steps} steps`)
})
