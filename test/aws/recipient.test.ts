/** Answers for an enclave alone: its attestation document is checked, and openssl opens what comes back. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { cbor, Enclave, makeChain, PCR0 } from '../support/enclave.ts'
import { admin, makeEnforced, policy, statement, user } from './enforced.ts'
import { makeAws } from './support.ts'

const ALGORITHM = 'RSAES_OAEP_SHA_256'
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')
const bytes = (text: string): Buffer => Buffer.from(text, 'base64')
const recipient = (document: Uint8Array) => ({
  KeyEncryptionAlgorithm: ALGORITHM,
  AttestationDocument: base64(document),
})

async function setUp(t: { teardown(handler: () => unknown): void }) {
  // The kernel's clock starts where its tests' clock does.
  const at = Date.UTC(2026, 0, 1)
  const chain = await makeChain(at)
  const directory = mkdtempSync(join(tmpdir(), 'trefoil-recipient-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const root = join(directory, 'root.pem')
  writeFileSync(root, chain.root)
  const aws = await makeAws('off', { aws: { attestationRoots: [root] } })
  t.teardown(() => aws.close())
  return { aws, at, chain, enclave: new Enclave(chain) }
}

t.test('every operation that answers a secret seals it for the enclave', async (t) => {
  const { aws, at, enclave } = await setUp(t)
  const Recipient = recipient(enclave.document(at))
  const ask = async (operation: string, input: object) => {
    const { status, body, text } = await aws.ask(operation, { ...input, Recipient })
    t.equal(status, 200, `${operation}: ${text.slice(0, 80)}`)
    return body
  }
  const KeyId = await aws.createKey()
  const plaintext = Buffer.from('for the enclave alone')
  const { CiphertextBlob } = (await aws.ask('Encrypt', { KeyId, Plaintext: base64(plaintext) })).body
  const opened = await ask('Decrypt', { CiphertextBlob })
  t.notOk('Plaintext' in opened)
  t.same(enclave.open(bytes(opened.CiphertextForRecipient)), plaintext)

  const data = await ask('GenerateDataKey', { KeyId, KeySpec: 'AES_256' })
  t.notOk('Plaintext' in data)
  const key = enclave.open(bytes(data.CiphertextForRecipient))
  t.equal(key.length, 32)
  const plain = await aws.ask('Decrypt', { CiphertextBlob: data.CiphertextBlob })
  t.same(bytes(plain.body.Plaintext), key, 'the same data key')

  const pair = await ask('GenerateDataKeyPair', { KeyId, KeyPairSpec: 'ECC_NIST_P256' })
  t.notOk('PrivateKeyPlaintext' in pair)
  const privateKey = enclave.open(bytes(pair.CiphertextForRecipient))
  const half = createPublicKey(createPrivateKey({ key: privateKey, format: 'der', type: 'pkcs8' }))
  t.same(half.export({ type: 'spki', format: 'der' }), bytes(pair.PublicKey))

  const random = await ask('GenerateRandom', { NumberOfBytes: 40 })
  t.notOk('Plaintext' in random)
  t.equal(enclave.open(bytes(random.CiphertextForRecipient)).length, 40)

  const agreement = await aws.createKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'KEY_AGREEMENT' })
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const PublicKey = base64(publicKey.export({ type: 'spki', format: 'der' }))
  const input = { KeyId: agreement, KeyAgreementAlgorithm: 'ECDH', PublicKey }
  const shared = await ask('DeriveSharedSecret', input)
  t.notOk('SharedSecret' in shared)
  const { SharedSecret } = (await aws.ask('DeriveSharedSecret', input)).body
  t.same(enclave.open(bytes(shared.CiphertextForRecipient)), bytes(SharedSecret))

  const again = await ask('Decrypt', { CiphertextBlob })
  t.not(again.CiphertextForRecipient, opened.CiphertextForRecipient, 'sealed anew')
  t.equal(
    (await aws.refusal('Decrypt', { CiphertextBlob, Recipient, DryRun: true })).split(':')[0],
    'DryRunOperationException',
  )
})

t.test('documents that prove nothing', async (t) => {
  const { aws, at, chain, enclave } = await setUp(t)
  const KeyId = await aws.createKey()
  const refusal = (document: Uint8Array) =>
    aws.refusal('GenerateDataKey', { KeyId, KeySpec: 'AES_256', Recipient: recipient(document) })
  const stranger = new Enclave(await makeChain(at))
  const authority = new Enclave(await makeChain(at, { leafIsAuthority: true }))
  const expired = new Enclave(await makeChain(at - 86_400_000))
  const other = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey
  const genuine = enclave.document(at)
  const flipped = (index: number) => genuine.map((byte, at) => (at === index ? byte ^ 1 : byte))
  const rsa = (modulusLength: number) =>
    generateKeyPairSync('rsa', { modulusLength }).publicKey.export({ type: 'spki', format: 'der' })
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ type: 'spki', format: 'der' })
  const [root = new Uint8Array(0), zone = new Uint8Array(0)] = chain.bundle
  const cases: Readonly<Record<string, Uint8Array>> = {
    'no CBOR': Buffer.from('nonsense'),
    'an empty list': cbor([]),
    'five members': cbor([1, 2, 3, 4, 5]),
    'bytes behind it': Buffer.concat([genuine, Buffer.of(0)]),
    'cut short': genuine.subarray(0, -1),
    'a changed signature': flipped(genuine.length - 1),
    'a changed payload': flipped(100),
    'signed by another key': enclave.seal(cbor(new Map()), { key: other }),
    'another algorithm': enclave.seal(cbor(new Map()), { head: cbor(new Map([[1, -7]])) }),
    'no algorithm': enclave.seal(cbor(new Map()), { head: cbor(new Map()) }),
    'an empty payload': enclave.seal(cbor(new Map())),
    'a payload that is no map': enclave.seal(cbor('text')),
    'of another root': stranger.document(at),
    'another enclave with our chain': new Enclave({ ...chain, key: other }).document(at),
    'a leaf that is an authority': authority.document(at),
    'expired certificates': expired.document(at),
    'a chain out of order': enclave.document(at, { cabundle: [zone, root] }),
    'a chain without its middle': enclave.document(at, { cabundle: [root] }),
    'no chain': enclave.document(at, { cabundle: [] }),
    'a long chain': enclave.document(at, { cabundle: Array.from({ length: 50 }, () => root) }),
    'a certificate that is none': enclave.document(at, { certificate: Buffer.from('x') }),
    'an old one': enclave.document(at - 6 * 60_000),
    'one from the future': enclave.document(at + 6 * 60_000),
    'another digest': enclave.document(at, { digest: 'SHA256' }),
    'no module': enclave.document(at, { module_id: undefined }),
    'no registers': enclave.document(at, { pcrs: new Map() }),
    'a register of another size': enclave.document(at, { pcrs: new Map([[0, Buffer.alloc(20)]]) }),
    'a register that is none': enclave.document(at, { pcrs: new Map([[32, PCR0]]) }),
    'no public key': enclave.document(at, { public_key: null }),
    'an EC key': enclave.document(at, { public_key: ec }),
    'a short RSA key': enclave.document(at, { public_key: rsa(1024) }),
  }
  for (const [name, document] of Object.entries(cases)) {
    t.match(await refusal(document), /^ValidationException/, name)
  }
  t.equal(await refusal(genuine), 'ok')
  for (const half of [{ KeyEncryptionAlgorithm: ALGORITHM }, { AttestationDocument: base64(genuine) }, {}]) {
    const answer = await aws.refusal('GenerateRandom', { NumberOfBytes: 8, Recipient: half })
    t.match(answer, /^ValidationException/, JSON.stringify(Object.keys(half)))
  }
  for (let cut = 0; cut < genuine.length; cut += 37) {
    t.match(await refusal(genuine.subarray(0, cut)), /^ValidationException/, `${cut} bytes of it`)
  }
})

t.test('without a configured root there is no recipient', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const at = aws.clock.now()
  const document = new Enclave(await makeChain(at)).document(at)
  const answer = await aws.refusal('GenerateRandom', { NumberOfBytes: 8, Recipient: recipient(document) })
  t.equal(answer, 'UnsupportedOperationException: Recipient is not supported.')
})

t.test('policies ask what the enclave has proved', async (t) => {
  const at = Date.UTC(2026, 0, 1)
  const chain = await makeChain(at)
  const { createKey, attempt, verdict } = await makeEnforced('enforce', undefined, [new X509Certificate(chain.root)])
  const KeyId = await createKey()
  const { CiphertextBlob } = await attempt(admin, 'Encrypt', { KeyId, Plaintext: 'aGVsbG8=' })
  const Recipient = recipient(new Enclave(chain).document(at))
  const zeros = '00'.repeat(48)
  const image = PCR0.toString('hex')
  const rows: readonly (readonly [Readonly<Record<string, string>>, boolean])[] = [
    [{ 'kms:RecipientAttestation:ImageSha384': image }, true],
    [{ 'kms:RecipientAttestation:ImageSha384': zeros }, false],
    [{ 'kms:RecipientAttestation:PCR0': image }, true],
    [{ 'kms:RecipientAttestation:PCR3': zeros }, true],
    [{ 'kms:RecipientAttestation:PCR3': image }, false],
    [{ 'kms:RecipientAttestation:PCR4': zeros }, false],
    [{ 'kms:RecipientAttestation:PCR99': zeros }, false],
  ]
  for (const [StringEqualsIgnoreCase, allowed] of rows) {
    const caller = user('enclave', [policy(statement('kms:Decrypt', { Condition: { StringEqualsIgnoreCase } }))])
    const answer = await verdict(caller, 'Decrypt', { CiphertextBlob, Recipient })
    t.match(answer, allowed ? /^ok$/ : /^AccessDeniedException/, JSON.stringify(StringEqualsIgnoreCase))
    t.match(await verdict(caller, 'Decrypt', { CiphertextBlob }), /^AccessDeniedException/, 'without an enclave')
  }
})
