/** The server as an operator would run it behind a proxy: production profile, signatures, policies and quotas enforced. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { enforcing } from '../acceptance/aws-tools.ts'
import { type RunningTrefoil, startTrefoil } from '../support/process.ts'

/** AWS's quotas are counted, and far above what one machine answers. */
const QUOTA = 1_000_000
const QUOTAS = [
  'Cryptographic operations (symmetric)',
  'Cryptographic operations (RSA)',
  'Cryptographic operations (ECC)',
  'DescribeKey',
]

export async function startProduction(): Promise<RunningTrefoil> {
  const directory = mkdtempSync(join(tmpdir(), 'trefoil-bench-'))
  const passphrase = join(directory, 'passphrase')
  writeFileSync(passphrase, 'a passphrase of the bench', { mode: 0o600 })
  const config = {
    profile: 'production',
    listeners: [{ port: 0, behindProxy: true, dialects: ['aws'] }],
    rootKey: { type: 'passphrase', passphrase: { file: passphrase } },
    aws: { quotas: 'aws', quotaLimits: Object.fromEntries(QUOTAS.map((name) => [name, QUOTA])) },
  }
  const env = { TREFOIL_PORT: '', TREFOIL_TLS_PORT: '' }
  const started = await startTrefoil(enforcing({ config, env }))
  return {
    ...started,
    async stop() {
      const code = await started.stop()
      rmSync(directory, { recursive: true, force: true })
      return code
    },
  }
}
