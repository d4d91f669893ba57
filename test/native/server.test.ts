/** The server with the add-on and without: the same answers, and one line in the log. */
import { createHash, createPublicKey, hash, verify } from 'node:crypto'
import {
  CreateKeyCommand,
  GetPublicKeyCommand,
  KMSClient,
  MessageType,
  SignCommand,
  type SigningAlgorithmSpec,
} from '@aws-sdk/client-kms'
import t, { type Test } from 'tap'
import { addonMissing } from '../support/addon.ts'
import { startTrefoil } from '../support/process.ts'

const MESSAGE = Buffer.from('signed both ways')
const NOTICE = /no native add-on/g

async function makeKey(client: KMSClient, KeySpec: 'ECC_NIST_P256' | 'ECC_NIST_P521' | 'ML_DSA_65') {
  const { KeyMetadata } = await client.send(new CreateKeyCommand({ KeySpec, KeyUsage: 'SIGN_VERIFY' }))
  const KeyId = KeyMetadata?.KeyId ?? ''
  const { PublicKey } = await client.send(new GetPublicKeyCommand({ KeyId }))
  const publicKey = createPublicKey({ key: Buffer.from(PublicKey ?? []), format: 'der', type: 'spki' })
  const sign = async (Message: Uint8Array, type: MessageType, SigningAlgorithm: SigningAlgorithmSpec) => {
    const command = new SignCommand({ KeyId, Message, MessageType: type, SigningAlgorithm })
    return Buffer.from((await client.send(command)).Signature ?? [])
  }
  return { publicKey, sign }
}

async function signs(t: Test, endpoint: string): Promise<void> {
  const credentials = { accessKeyId: 'AKID', secretAccessKey: 'anything' }
  const client = new KMSClient({ endpoint, region: 'us-east-1', credentials, maxAttempts: 1 })
  t.teardown(() => client.destroy())
  for (const [spec, digest, algorithm] of [
    ['ECC_NIST_P256', 'sha256', 'ECDSA_SHA_256'],
    ['ECC_NIST_P521', 'sha512', 'ECDSA_SHA_512'],
  ] as const) {
    const { publicKey, sign } = await makeKey(client, spec)
    const signature = await sign(createHash(digest).update(MESSAGE).digest(), MessageType.DIGEST, algorithm)
    t.ok(verify(digest, MESSAGE, publicKey, signature), `${spec} over a digest`)
  }
  const { publicKey, sign } = await makeKey(client, 'ML_DSA_65')
  const shake = (bytes: Uint8Array) => hash('shake256', bytes, { outputEncoding: 'buffer', outputLength: 64 })
  const mu = shake(Buffer.concat([shake(publicKey.export({ format: 'raw-public' })), Buffer.of(0, 0), MESSAGE]))
  const signature = await sign(mu, MessageType.EXTERNAL_MU, 'ML_DSA_SHAKE_256')
  t.ok(verify(null, MESSAGE, publicKey, signature), 'ML-DSA over µ')
}

for (const native of ['auto', 'off'] as const) {
  t.test(`native: ${native}`, { skip: native === 'auto' && addonMissing }, async (t) => {
    const trefoil = await startTrefoil({ env: { TREFOIL_NATIVE: native } })
    t.teardown(() => trefoil.stop())
    await signs(t, trefoil.plainUrl)
    t.equal([...trefoil.log().matchAll(NOTICE)].length, native === 'auto' ? 0 : 1, 'said once, where it is so')
  })
}
