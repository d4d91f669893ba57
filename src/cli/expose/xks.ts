/** AWS KMS's side of the XKS proxy API v1.0.3. */
import { createHash, randomBytes, randomUUID } from 'node:crypto'
import type { XksConfig, XksExposed } from '../../config/exposures/xks.ts'
import { signRequest } from '../../crypto/external/sign.ts'
import { type Answer, Caller, expect, textMember } from './caller.ts'
import { Mismatch, type Report } from './report.ts'
import type { Target } from './target.ts'
import { refusedWithout } from './tls.ts'

type Members = Readonly<Record<string, unknown>>
type Change = { readonly host?: string; readonly at?: number; readonly sent?: string }
type Credential = XksExposed['credentials'][number]

const ARN = 'arn:aws:kms:us-east-1:000000000000:key/00000000-0000-0000-0000-000000000000'
const facts = (operation: string, arn = true): object => ({
  requestMetadata: {
    awsPrincipalArn: 'arn:aws:iam::000000000000:user/trefoil-expose-check',
    kmsOperation: operation,
    kmsRequestId: randomUUID(),
    ...(arn && { kmsKeyArn: ARN }),
  },
})

class Side {
  readonly #caller: Caller
  readonly #exposure: XksConfig
  readonly #credential: Credential

  constructor(caller: Caller, exposure: XksConfig, credential: Credential) {
    this.#caller = caller
    this.#exposure = exposure
    this.#credential = credential
  }

  ask(rest: string, members: object, change: Change = {}, path = this.#exposure.path): Promise<Answer> {
    const full = `${path}${rest}`
    const body = JSON.stringify(members)
    const region = this.#exposure.regions?.[0] ?? 'us-east-1'
    const { host = this.#caller.target.url.host, at = Date.now(), sent = body } = change
    const headers = signRequest({ host, path: full, body, region, at, ...this.#credential })
    return this.#caller.send({ path: full, headers: { ...headers, host: this.#caller.target.url.host }, body: sent })
  }
}

const part = (answer: Answer, name: string): Buffer => Buffer.from(textMember(answer, name), 'base64')

/** Specification, "ciphertextDataIntegrityValue". */
function checkIntegrity(answer: Answer, aad: Buffer): void {
  const metadata = answer.json.ciphertextMetadata === undefined ? Buffer.alloc(0) : part(answer, 'ciphertextMetadata')
  const [iv, text, tag] = ['initializationVector', 'ciphertext', 'authenticationTag'].map((name) => part(answer, name))
  const all = Buffer.concat([aad, metadata, iv ?? aad, text ?? aad, tag ?? aad])
  const expected = createHash('sha256').update(all).digest('base64')
  if (answer.json.ciphertextDataIntegrityValue === expected) return
  throw new Mismatch('ciphertextDataIntegrityValue is not the digest of the parts')
}

function decryptBody({ json }: Answer, aad: string): Members {
  const { ciphertext, ciphertextMetadata, initializationVector, authenticationTag } = json
  return {
    ...facts('Decrypt'),
    encryptionAlgorithm: 'AES_GCM',
    additionalAuthenticatedData: aad,
    ciphertext,
    initializationVector,
    authenticationTag,
    ...(ciphertextMetadata !== undefined && { ciphertextMetadata }),
  }
}

async function checkUse(report: Report, side: Side, id: string): Promise<void> {
  const [plaintext, aad] = [randomBytes(32), randomBytes(64)]
  const text = aad.toString('base64')
  await report.check(`key ${id} encrypts and decrypts`, 'see its state, its exposure’s rules and usage', async () => {
    const sealed = await side.ask(`/keys/${id}/encrypt`, {
      ...facts('Encrypt'),
      encryptionAlgorithm: 'AES_GCM',
      plaintext: plaintext.toString('base64'),
      additionalAuthenticatedData: text,
      ciphertextDataIntegrityValueAlgorithm: 'SHA_256',
    })
    checkIntegrity(expect(sealed, 200), aad)
    const opened = expect(await side.ask(`/keys/${id}/decrypt`, decryptBody(sealed, text)), 200)
    if (!part(opened, 'plaintext').equals(plaintext)) throw new Mismatch('it decrypts to something else')
    const other = decryptBody(sealed, randomBytes(64).toString('base64'))
    expect(await side.ask(`/keys/${id}/decrypt`, other), 400, ['errorName', 'InvalidCiphertextException'])
    return undefined
  })
}

async function checkKeys(report: Report, side: Side, { keys }: XksConfig): Promise<void> {
  for (const { id, usage } of keys) {
    const usable = await report.check(
      `key ${id}`,
      'see that it is there, enabled and AES-256: trefoil key show',
      async () => {
        const { json } = expect(await side.ask(`/keys/${id}/metadata`, facts('CreateKey', false)), 200, [
          'keySpec',
          'AES_256',
        ])
        if (json.keyStatus !== 'ENABLED') throw new Mismatch(`keyStatus is ${json.keyStatus}`)
        return String(json.keyUsage)
      },
    )
    if (!usable) continue
    if (usage.length === 2) await checkUse(report, side, id)
    else report.skip(`key ${id} encrypts and decrypts`, `it is exposed to ${usage.join()} only`)
  }
}

async function checkRefusals(report: Report, side: Side): Promise<void> {
  const fix = 'this is a fault of the server: report it'
  const nothing = `trefoil-${randomUUID()}`
  const health = facts('KmsHealthCheck', false)
  const refused = (what: string, status: number, name: string, ask: () => Promise<Answer>) =>
    report.check(`refuses ${what}`, fix, async () => {
      expect(await ask(), status, ['errorName', name])
      return name
    })
  await refused('a key that is not there', 404, 'KeyNotFoundException', () =>
    side.ask(`/keys/${nothing}/metadata`, facts('CreateKey', false)),
  )
  await refused('a path that is not there', 404, 'InvalidUriPathException', () =>
    side.ask('/health', health, {}, `/${nothing}/kms/xks/v1`),
  )
  const unsigned = 'AuthenticationFailedException'
  await refused('another body than was signed', 401, unsigned, () =>
    side.ask('/health', health, { sent: JSON.stringify({ ...health, changed: true }) }),
  )
  await refused('a signature of ten minutes ago', 401, unsigned, () =>
    side.ask('/health', health, { at: Date.now() - 600_000 }),
  )
  await refused('a signature for another host', 401, unsigned, () =>
    side.ask('/health', health, { host: 'elsewhere.example' }),
  )
}

export async function checkXks(report: Report, target: Target, exposure: XksConfig, loaded: XksExposed): Promise<void> {
  if (exposure.clientNames !== undefined) {
    const ask = (caller: Caller) =>
      caller.send({ path: `${exposure.path}/health`, body: '{}' }).then((answer) => expect(answer, [401, 403]))
    await refusedWithout(
      report,
      target,
      'refuses a client without a certificate',
      'let the listener have tls.clientCa',
      undefined,
      ask,
    )
    if (target.identity === undefined) {
      report.skip('everything of a known client', 'give --cert and --key of a client that clientNames lists')
      return
    }
  }
  const caller = new Caller(target, target.identity)
  try {
    for (const credential of loaded.credentials) {
      const side = new Side(caller, exposure, credential)
      const fix =
        'see that the secret is the one that is in force (trefoil reload), and that publicUrl has the host that AWS KMS asks'
      const known = await report.check(`health, by ${credential.accessKeyId}`, fix, async () => {
        const { json } = expect(await side.ask('/health', facts('KmsHealthCheck', false)), 200)
        const fleet = Array.isArray(json.ekmFleetDetails) ? (json.ekmFleetDetails as Members[]) : []
        const sick = fleet.filter(({ healthStatus }) => healthStatus !== 'ACTIVE')
        if (sick.length > 0)
          throw new Mismatch(sick.map(({ id, healthStatus }) => `${id} is ${healthStatus}`).join(', '))
        return `${fleet.length} key managers`
      })
      if (known && credential === loaded.credentials[0]) {
        await checkKeys(report, side, exposure)
        await checkRefusals(report, side)
      }
    }
  } finally {
    caller.close()
  }
  await report.check(
    'in time',
    'put it nearer to AWS, or see what its HSM takes: AWS KMS waits for 250 ms',
    async () => {
      const slowest = Math.round(Math.max(0, ...caller.times.slice(1)))
      if (slowest >= 250) throw new Mismatch(`the slowest of ${caller.times.length} answers took ${slowest} ms`)
      return `the slowest of ${caller.times.length} answers took ${slowest} ms from here`
    },
  )
}
