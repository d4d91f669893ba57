/** A server on two cloned tokens, one of which is taken away under it; the SDK is the judge. */
import { createPublicKey, verify } from 'node:crypto'
import { cpSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CreateKeyCommand, GetPublicKeyCommand, KMSClient, SignCommand } from '@aws-sdk/client-kms'
import t from 'tap'
import { type RunningTrefoil, startTrefoil } from '../support/process.ts'
import { softHsmMissing, startSoftHsm } from '../support/softhsm.ts'
import { until } from '../support/until.ts'

const MESSAGE = Buffer.from('signed by whichever token is there')

const clientOf = ({ plainUrl }: RunningTrefoil): KMSClient => {
  const credentials = { accessKeyId: 'AKIDPAIR', secretAccessKey: 'anything' }
  return new KMSClient({ endpoint: plainUrl, region: 'us-east-1', credentials, maxAttempts: 1 })
}

/** Processes that the server started. */
const childrenOf = (pid: number): readonly number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number)

/** The only token of the directory once more, with another serial number. @returns both serial numbers */
function cloneToken(tokens: string): { serial: string; clone: string; folder: string } {
  const [name = ''] = readdirSync(tokens)
  const copy = join(tokens, `${name.slice(0, -1)}${name.endsWith('0') ? '1' : '0'}`)
  cpSync(join(tokens, name), copy, { recursive: true })
  const file = join(copy, 'token.object')
  const content = readFileSync(file)
  const serial = /[0-9a-f]{16}/.exec(content.toString('latin1'))?.[0] ?? ''
  const clone = `${serial.slice(0, -1)}${serial.endsWith('0') ? '1' : '0'}`
  content.write(clone, content.indexOf(serial), 'latin1')
  writeFileSync(file, content)
  return { serial, clone, folder: join(tokens, name) }
}

t.test('a pair', softHsmMissing === undefined ? {} : { skip: softHsmMissing }, async (t) => {
  const token = await startSoftHsm()
  const dataDir = mkdtempSync(join(tmpdir(), 'trefoil-pair-'))
  t.teardown(async () => {
    await token.close()
    rmSync(dataDir, { recursive: true, force: true })
  })
  const first = await startTrefoil({ config: token.config, env: token.env, dataDir })
  const making = clientOf(first)
  const spec = { KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' } as const
  const KeyId = (await making.send(new CreateKeyCommand(spec))).KeyMetadata?.KeyId ?? ''
  const { PublicKey = new Uint8Array() } = await making.send(new GetPublicKeyCommand({ KeyId }))
  const publicKey = createPublicKey({ key: Buffer.from(PublicKey), format: 'der', type: 'spki' })
  making.destroy()
  await first.stop()

  const { serial, clone, folder } = cloneToken(join(token.directory, 'tokens'))
  const hsm = token.config.hsm.map(({ tokenLabel: _, ...entry }) => ({ ...entry, serial, standby: { serial: clone } }))
  const server = await startTrefoil({ config: { ...token.config, hsm }, env: token.env, dataDir })
  const client = clientOf(server)
  t.teardown(async () => {
    client.destroy()
    await server.stop()
  })
  const signs = async (): Promise<boolean> => {
    const command = new SignCommand({ KeyId, Message: MESSAGE, SigningAlgorithm: 'ECDSA_SHA_256' })
    const { Signature = new Uint8Array() } = await client.send(command)
    return verify('sha256', MESSAGE, publicKey, Signature)
  }
  t.ok(await signs())
  renameSync(folder, `${token.directory}/away`)
  for (const pid of childrenOf(server.pid)) process.kill(pid, 'SIGKILL')
  // Both children were killed: the clone's is started again, the other finds no token.
  const served = async (): Promise<boolean> => signs().catch(() => false)
  await until('the clone serves', served)
  t.ok(await signs(), 'the clone serves')
  const ready = await fetch(`${server.plainUrl}/_/health/ready`)
  t.equal(ready.status, 200, 'and the server is ready')
})
