/** Where an AWS Encrypt's CPU goes: its parts alone, in this process, µs of CPU for each. */
import { createSecretKey, generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { routes } from '../../src/api/aws/bindings/index.ts'
import type { AwsContext } from '../../src/api/aws/route.ts'
import { parseJson } from '../../src/api/http/json.ts'
import { nodeFiles } from '../../src/audit/files.ts'
import { openAuditLog } from '../../src/audit/log.ts'
import { NO_CONTEXT, sealEnvelope } from '../../src/core/envelope.ts'
import type { Kernel } from '../../src/core/kernel.ts'
import type { Call } from '../../src/core/operation.ts'
import { createKey } from '../../src/core/ops/create-key.ts'
import { encrypt } from '../../src/core/ops/encrypt.ts'
import type { AuditRecord } from '../../src/core/ports.ts'
import { nativeMac } from '../../src/crypto/native.ts'
import { loadAddon } from '../../src/native/addon.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'
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
    const { key, ring, current } = await run('aws', createKey, { ring: { by: 'default' }, spec: 'aes_256' })
    if (current === undefined) throw new Error('a key without a version')
    const handle = { ringId: ring.id, versionId: current.id, spec: current.spec, ref: current.ref }
    const backend = backends.named(current.backend)
    const ctx = { signal: new AbortController().signal, requestId: randomUUID() }
    const input = { key: { by: 'id', id: key.id }, algorithm: 'envelope', plaintext: PLAINTEXT } as const
    const output = await run('aws', encrypt, input)
    return [
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
