/** Where a signed AWS Encrypt's CPU goes: its parts alone, in this process, µs of CPU for each. */
import { createSecretKey, generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { routes } from '../../src/api/aws/bindings/index.ts'
import { factsOf } from '../../src/api/aws/facts.ts'
import type { AwsContext } from '../../src/api/aws/route.ts'
import { parseJson } from '../../src/api/http/json.ts'
import { readClaim } from '../../src/api/sigv4/claim.ts'
import { SignatureVerifier, secretKeyOf } from '../../src/api/sigv4/verify.ts'
import { nodeFiles } from '../../src/audit/files.ts'
import { openAuditLog } from '../../src/audit/log.ts'
import { NO_CONTEXT, sealEnvelope } from '../../src/core/envelope.ts'
import type { Kernel } from '../../src/core/kernel.ts'
import type { Key, Realm } from '../../src/core/key.ts'
import type { Call } from '../../src/core/operation.ts'
import { createKey } from '../../src/core/ops/create-key.ts'
import { encrypt } from '../../src/core/ops/encrypt.ts'
import { awsEvaluator } from '../../src/core/policy/aws/evaluator.ts'
import type { AccessRequest, AuditRecord, AwsIdentity, Store } from '../../src/core/ports.ts'
import { nativeMac } from '../../src/crypto/native.ts'
import { loadAddon } from '../../src/native/addon.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import { sign } from '../sigv4/sign.ts'
import { makeKernel } from '../support/kernel.ts'

const AT_ONCE = 32
const PLAINTEXT = Buffer.alloc(32, 7)
type Part = { readonly part: string; readonly 'CPU µs': number }

/** `rounds` times `AT_ONCE` calls in flight, after as many to warm up. */
async function cost(part: string, work: () => unknown, rounds = 500): Promise<Part> {
  const once = (): Promise<unknown> => Promise.all(Array.from({ length: AT_ONCE }, async () => work()))
  for (let round = 0; round < rounds; round++) await once()
  const before = process.cpuUsage()
  for (let round = 0; round < rounds; round++) await once()
  const { user, system } = process.cpuUsage(before)
  return { part, 'CPU µs': Number(((user + system) / rounds / AT_ONCE).toFixed(1)) }
}

const recordOf = (): AuditRecord => ({
  id: randomUUID(),
  time: Date.now(),
  requestId: randomUUID(),
  dialect: 'aws',
  wire: 'Encrypt',
  operation: 'Encrypt',
  action: 'encrypt',
  principal: 'sigv4:AKIAIOSFODNN7EXAMPLE',
  method: 'sigv4',
  realm: randomUUID(),
  ring: randomUUID(),
  key: randomUUID(),
  version: 1,
  algorithm: 'envelope_hmac_kdf',
  decision: 'allow',
  outcome: 'ok',
  durationMs: 0.123,
})

/** An AWS request's body, read and checked, and its answer rendered; the kernel answers with what it is given. */
function surface(keyId: string, output: unknown): () => Promise<unknown> {
  const route = routes.find(({ wire }) => wire === 'Encrypt')
  if (route === undefined) throw new Error('no Encrypt')
  const body = Buffer.from(JSON.stringify({ KeyId: keyId, Plaintext: PLAINTEXT.toString('base64') }))
  const kernel = { execute: async () => output } as unknown as Kernel
  const realm = { dialect: 'aws', account: '000000000000', region: 'us-east-1' } as const
  const ctx = { realm, settings: { auth: 'off' }, now: Date.now() } as AwsContext
  return () => route.answer(parseJson(body, { depth: 32 }), kernel, {} as Call, ctx)
}

const ACCOUNT = '000000000000'
const SECRET = 'bench/secret+of/no+one'
const KMS_RULES = {
  services: ['kms'],
  mustSign: (name: string) => name.startsWith('x-amz-') && name !== 'x-amz-security-token',
  normalizePath: true,
  skewMs: 300_000,
}

/** The claim read from a request's head, and its signature verified over its body. */
function signature(): () => boolean {
  const body = Buffer.alloc(120, 7)
  const unsigned = {
    host: '127.0.0.1:7400',
    'content-type': 'application/x-amz-json-1.1',
    'x-amz-target': 'TrentService.Encrypt',
  }
  const credentials = { accessKeyId: 'AKIABENCH00000000000', secretAccessKey: SECRET }
  const at = Date.now()
  const headers = sign({ method: 'POST', path: '/', headers: unsigned, body }, credentials, { at })
  const head = { method: 'POST', url: '/', headers, rawHeaders: Object.entries(headers).flat() }
  const [verifier, secret] = [new SignatureVerifier(), secretKeyOf(Buffer.from(SECRET))]
  return () => {
    const claim = readClaim(head, KMS_RULES, at)
    if (claim === undefined || !verifier.verify(claim, claim.accessKeyId, secret, body)) throw new Error('not verified')
    return true
  }
}

/** A user whose own policy allows, and a key whose policy leaves it to the account. */
function policies(store: Store, realm: Realm, key: Key): () => unknown {
  const evaluate = awsEvaluator(store)
  const identity: AwsIdentity = {
    account: ACCOUNT,
    arn: `arn:aws:iam::${ACCOUNT}:user/bench`,
    userId: 'AIDABENCH',
    userName: 'bench',
    policies: [{ Version: '2012-10-17', Statement: { Effect: 'Allow', Action: 'kms:*', Resource: '*' } }],
    tags: {},
  }
  const ctx = { realm: { dialect: 'aws', account: ACCOUNT, region: 'us-east-1' }, now: Date.now() } as AwsContext
  const aws = factsOf('Encrypt', { KeyId: key.id, Plaintext: PLAINTEXT }, ctx)
  const principal = { id: identity.arn, method: 'sigv4', aws: identity } as const
  const request = { principal, dialect: 'aws', wire: 'Encrypt', action: 'encrypt', realm, key, aws } as AccessRequest
  return () => {
    const decision = evaluate(request)
    if (decision instanceof Promise || !decision.allow) throw new Error('not allowed at once')
    return decision
  }
}

export async function encryptParts(): Promise<readonly Part[]> {
  const directory = mkdtempSync(join(tmpdir(), 'trefoil-parts-'))
  const { addon } = loadAddon()
  const store = openSqliteStore(join(directory, 'trefoil.db'))
  const chain = createSecretKey(randomBytes(32))
  const log = await openAuditLog({
    directory: join(directory, 'audit'),
    checkpoints: join(directory, 'checkpoints'),
    key: chain,
    mac: addon && nativeMac(addon, chain),
    files: nodeFiles(addon?.append),
    signer: generateKeyPairSync('ed25519').privateKey,
    warn: (message) => process.stderr.write(`bench: ${message}\n`),
  })
  try {
    const { run, backends } = await makeKernel({ store, addon })
    const { key, ring, realm, current } = await run('aws', createKey, { ring: { by: 'default' }, spec: 'aes_256' })
    if (current === undefined) throw new Error('a key without a version')
    const handle = { ringId: ring.id, versionId: current.id, spec: current.spec, ref: current.ref }
    const backend = backends.named(current.backend)
    const ctx = { signal: new AbortController().signal, requestId: randomUUID() }
    const input = { key: { by: 'id', id: key.id }, algorithm: 'envelope', plaintext: PLAINTEXT } as const
    const output = await run('aws', encrypt, input)
    return [
      await cost('AWS signature: claim read, verified over the body', signature()),
      await cost('AWS policies: an identity’s and the key’s', policies(store, realm, key)),
      await cost('AWS surface: body read and checked, answer rendered', surface(key.id, output)),
      await cost('envelope: key per message, AES-GCM', () =>
        sealEnvelope(backend, handle, 'envelope_hmac_kdf', PLAINTEXT, NO_CONTEXT, ctx),
      ),
      await cost('kernel with the envelope, audit in memory', () => run('aws', encrypt, input)),
      await cost('audit record: encoded, chained, synced', () => log.append(recordOf())),
    ]
  } finally {
    await log.close()
    await store.close()
    rmSync(directory, { recursive: true, force: true })
  }
}
