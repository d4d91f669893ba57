/** ML-DSA keys that live in a token, by AWS's SDK against the real process; node:crypto verifies. */
import { createPublicKey, verify } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CreateKeyCommand, GetPublicKeyCommand, KMSClient, SignCommand } from '@aws-sdk/client-kms'
import t from 'tap'
import { makeNss, nssMissing } from '../support/nss.ts'
import { startTrefoil } from '../support/process.ts'

const MESSAGE = Buffer.from('signed in the token')

t.test('ML-DSA in NSS', nssMissing === undefined ? {} : { skip: nssMissing }, async (t) => {
  const { close, directory, env = {}, pin, native: _, ...entry } = await makeNss()
  t.teardown(() => close())
  const file = join(directory, 'pin')
  writeFileSync(file, pin, { mode: 0o600 })
  const hsm = [{ ...entry, pin: { file } }]
  const server = await startTrefoil({ config: { hsm, defaultBackend: 'pkcs11:nss' }, env })
  const credentials = { accessKeyId: 'AKIDNSS', secretAccessKey: 'anything' }
  const client = new KMSClient({ endpoint: server.plainUrl, region: 'us-east-1', credentials, maxAttempts: 1 })
  t.teardown(async () => {
    client.destroy()
    await server.stop()
  })
  for (const KeySpec of ['ML_DSA_44', 'ML_DSA_65', 'ML_DSA_87'] as const) {
    const { KeyMetadata } = await client.send(new CreateKeyCommand({ KeySpec, KeyUsage: 'SIGN_VERIFY' }))
    const KeyId = KeyMetadata?.KeyId ?? ''
    const { PublicKey = new Uint8Array() } = await client.send(new GetPublicKeyCommand({ KeyId }))
    const publicKey = createPublicKey({ key: Buffer.from(PublicKey), format: 'der', type: 'spki' })
    const command = new SignCommand({ KeyId, Message: MESSAGE, SigningAlgorithm: 'ML_DSA_SHAKE_256' })
    const { Signature = new Uint8Array() } = await client.send(command)
    t.ok(verify(null, MESSAGE, publicKey, Signature), KeySpec)
  }
})
