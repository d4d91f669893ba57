/** P-256 over a ready digest by the software backend, without HTTP: µs of CPU for one. */
import { createSecretKey, randomBytes, randomUUID } from 'node:crypto'
import { SoftwareBackend } from '../../src/crypto/software.ts'
import { addon } from '../support/addon.ts'

const BATCH = 100

export async function makeDigestSigner(): Promise<(seconds: number) => Promise<number>> {
  const ringKey = createSecretKey(randomBytes(32))
  const backend = new SoftwareBackend({ get: async () => ringKey }, addon)
  const ctx = { signal: new AbortController().signal, requestId: randomUUID() }
  const home = { ringId: randomUUID(), versionId: randomUUID() }
  const { ref } = await backend.generateKey('ec_p256', home, ctx)
  const handle = { ...home, spec: 'ec_p256' as const, ref }
  const digest = randomBytes(32)
  return async (seconds) => {
    const until = performance.now() + seconds * 1000
    const before = process.cpuUsage()
    let signatures = 0
    while (performance.now() < until) {
      for (let i = 0; i < BATCH; i++) await backend.sign(handle, 'ecdsa_sha256', { digest }, ctx)
      signatures += BATCH
    }
    const { user, system } = process.cpuUsage(before)
    return (user + system) / signatures
  }
}
