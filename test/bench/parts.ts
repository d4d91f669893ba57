/** Where an AWS Encrypt's CPU goes: its parts alone, in this process, µs of CPU for each. */
import { createSecretKey, generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openAuditLog } from '../../src/audit/log.ts'
import { NO_CONTEXT, sealEnvelope } from '../../src/core/envelope.ts'
import { createKey } from '../../src/core/ops/create-key.ts'
import { encrypt } from '../../src/core/ops/encrypt.ts'
import type { AuditRecord } from '../../src/core/ports.ts'
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

export async function encryptParts(): Promise<readonly Part[]> {
  const directory = mkdtempSync(join(tmpdir(), 'trefoil-parts-'))
  const store = openSqliteStore(join(directory, 'trefoil.db'))
  const log = await openAuditLog({
    directory: join(directory, 'audit'),
    checkpoints: join(directory, 'checkpoints'),
    key: createSecretKey(randomBytes(32)),
    signer: generateKeyPairSync('ed25519').privateKey,
    warn: (message) => process.stderr.write(`bench: ${message}\n`),
  })
  try {
    const { run, backends } = await makeKernel({ store })
    const { key, ring, current } = await run('aws', createKey, { ring: { by: 'default' }, spec: 'aes_256' })
    if (current === undefined) throw new Error('a key without a version')
    const handle = { ringId: ring.id, versionId: current.id, spec: current.spec, ref: current.ref }
    const backend = backends.named(current.backend)
    const ctx = { signal: new AbortController().signal, requestId: randomUUID() }
    const reference = { by: 'id', id: key.id } as const
    return [
      await cost('envelope: key per message, AES-GCM', () =>
        sealEnvelope(backend, handle, 'envelope_hmac_kdf', PLAINTEXT, NO_CONTEXT, ctx),
      ),
      await cost('kernel with the envelope, audit in memory', () =>
        run('aws', encrypt, { key: reference, algorithm: 'envelope', plaintext: PLAINTEXT }),
      ),
      await cost('audit record: encoded, chained, synced', () => log.append(recordOf())),
    ]
  } finally {
    await log.close()
    await store.close()
    rmSync(directory, { recursive: true, force: true })
  }
}
