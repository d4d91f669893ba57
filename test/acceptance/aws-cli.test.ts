/** The unmodified AWS CLI against the real process; openssl judges its signatures. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { startTrefoil } from '../support/process.ts'
import { awsEnvironment, enforcing, hasTool, run } from './aws-tools.ts'

const missing = ['aws', 'openssl'].find((tool) => !hasTool(tool))

t.test('the slice, by the AWS CLI', { skip: missing === undefined ? false : `no tool: ${missing}` }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'trefoil-aws-cli-'))
  const trefoil = await startTrefoil(enforcing())
  t.teardown(async () => {
    await trefoil.stop()
    rmSync(folder, { recursive: true })
  })
  const env = awsEnvironment()
  const aws = (...args: string[]) =>
    run('aws', ['--endpoint-url', trefoil.plainUrl, '--output', 'json', 'kms', ...args], { env, cwd: folder })
  const ok = async (...args: string[]) => {
    const { code, stdout, stderr } = await aws(...args)
    if (code !== 0) throw new Error(`aws kms ${args.join(' ')}: ${stderr}`)
    return stdout === '' ? {} : JSON.parse(stdout)
  }
  const file = (name: string, content?: Uint8Array): string => {
    const path = join(folder, name)
    if (content !== undefined) writeFileSync(path, content)
    return path
  }

  await t.test('encrypt and decrypt', async (t) => {
    const key = await ok('create-key', '--description', 'by the CLI', '--tags', 'TagKey=a,TagValue=b')
    const id: string = key.KeyMetadata.KeyId
    t.equal(key.KeyMetadata.Description, 'by the CLI')
    await ok('create-alias', '--alias-name', 'alias/cli', '--target-key-id', id)
    const message = file('message', Buffer.from('attack at dawn'))
    const sealed = await ok(
      'encrypt',
      '--key-id',
      'alias/cli',
      '--plaintext',
      `fileb://${message}`,
      '--encryption-context',
      'a=b',
    )
    const blob = file('sealed', Buffer.from(sealed.CiphertextBlob, 'base64'))
    const opened = await ok('decrypt', '--ciphertext-blob', `fileb://${blob}`, '--encryption-context', 'a=b')
    t.equal(Buffer.from(opened.Plaintext, 'base64').toString(), 'attack at dawn')
    const refused = await aws('decrypt', '--ciphertext-blob', `fileb://${blob}`)
    t.not(refused.code, 0)
    t.match(refused.stderr, '(InvalidCiphertextException) when calling the Decrypt operation')
    t.match((await ok('list-keys')).Keys, [{ KeyId: id }])
    t.equal((await ok('list-aliases')).Aliases[0].AliasName, 'alias/cli')
  })

  await t.test('a key in the hands of an administrator', async (t) => {
    const { KeyMetadata } = await ok('create-key')
    const id: string = KeyMetadata.KeyId
    const key = ['--key-id', id]
    await ok('update-key-description', ...key, '--description', 'looked after')
    await ok('tag-resource', ...key, '--tags', 'TagKey=team,TagValue=one', 'TagKey=stage,TagValue=test')
    await ok('untag-resource', ...key, '--tag-keys', 'stage')
    t.same((await ok('list-resource-tags', ...key)).Tags, [{ TagKey: 'team', TagValue: 'one' }])
    t.same((await ok('list-key-policies', ...key)).PolicyNames, ['default'])
    const { Policy } = await ok('get-key-policy', ...key)
    const policy = file('policy.json', Buffer.from(Policy.replace('key-default-1', 'by-the-cli')))
    await ok('put-key-policy', ...key, '--policy', `file://${policy}`)
    t.equal(JSON.parse((await ok('get-key-policy', ...key)).Policy).Id, 'by-the-cli')
    const open = file('open.json', Buffer.from(Policy.replace('kms:*', 'kms:Decrypt')))
    const locked = await aws('put-key-policy', ...key, '--policy', `file://${open}`)
    t.match(locked.stderr, '(MalformedPolicyDocumentException) when calling the PutKeyPolicy operation')

    await ok('enable-key-rotation', ...key, '--rotation-period-in-days', '180')
    t.match(await ok('get-key-rotation-status', ...key), { KeyRotationEnabled: true, RotationPeriodInDays: 180 })
    for (let i = 0; i < 3; i++) t.same(await ok('rotate-key-on-demand', ...key), { KeyId: id })
    const rotations = ['list-key-rotations', ...key, '--page-size', '2', '--include-key-material', 'ALL_KEY_MATERIAL']
    const states = (await ok(...rotations)).Rotations.map(
      (entry: { KeyMaterialState: string }) => entry.KeyMaterialState,
    )
    t.same(states, ['NON_CURRENT', 'NON_CURRENT', 'NON_CURRENT', 'CURRENT'])
    await ok('disable-key-rotation', ...key)
    t.equal((await ok('get-key-rotation-status', ...key)).KeyRotationEnabled, false)

    const other: string = (await ok('create-key')).KeyMetadata.KeyId
    await ok('create-alias', '--alias-name', 'alias/admin', '--target-key-id', id)
    await ok('update-alias', '--alias-name', 'alias/admin', '--target-key-id', other)
    t.equal((await ok('describe-key', '--key-id', 'alias/admin')).KeyMetadata.KeyId, other)
    await ok('delete-alias', '--alias-name', 'alias/admin')
  })

  await t.test('openssl verifies what it signed', async (t) => {
    const key = await ok('create-key', '--key-spec', 'ECC_NIST_P256', '--key-usage', 'SIGN_VERIFY')
    const id: string = key.KeyMetadata.KeyId
    const message = file('signed', Buffer.from('a message'))
    const algorithm = ['--signing-algorithm', 'ECDSA_SHA_256']
    const { Signature } = await ok('sign', '--key-id', id, '--message', `fileb://${message}`, ...algorithm)
    const signature = file('signature', Buffer.from(Signature, 'base64'))
    const { PublicKey } = await ok('get-public-key', '--key-id', id)
    const publicKey = file('public.der', Buffer.from(PublicKey, 'base64'))
    const verified = await run(
      'openssl',
      ['dgst', '-sha256', '-verify', publicKey, '-keyform', 'DER', '-signature', signature, message],
      { env },
    )
    t.match(verified.stdout, 'Verified OK')
    file('signed', Buffer.from('another message'))
    const forged = await run(
      'openssl',
      ['dgst', '-sha256', '-verify', publicKey, '-keyform', 'DER', '-signature', signature, message],
      { env },
    )
    t.not(forged.code, 0)
    t.equal(readFileSync(message, 'utf8'), 'another message')
  })
})
