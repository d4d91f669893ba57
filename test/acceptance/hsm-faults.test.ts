/**
 * What clients of each cloud see while a token fails: that cloud's own "unavailable" within the deadline, keys in software
 * as ever, and the same keys again when the token is back, without a hand being moved.
 */
import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { type RunningTrefoil, startTrefoil } from '../support/process.ts'
import { type Control, makeShimmedHsm, type ShimmedHsm, shimMissing } from '../support/shim.ts'
import { softHsmMissing } from '../support/softhsm.ts'

const missing = softHsmMissing ?? shimMissing
const DEADLINE_MS = 1500

type Answer = { readonly status: number; readonly body: Record<string, unknown>; readonly text: string }

async function post(url: string, headers: Record<string, string>, body: unknown): Promise<Answer> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { authorization: 'Bearer any', 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })
  const text = await response.text()
  return { status: response.status, text, body: JSON.parse(text) }
}

const MESSAGE = Buffer.from('a message').toString('base64')
const DIGEST = Buffer.alloc(32, 1)

class Clients {
  readonly #url: string

  constructor({ plainUrl }: RunningTrefoil) {
    this.#url = plainUrl
  }

  aws(target: string, body: object): Promise<Answer> {
    const headers = { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': `TrentService.${target}` }
    return post(this.#url, headers, body)
  }

  azure(path: string, body: object): Promise<Answer> {
    return post(`${this.#url}/keys/${path}?api-version=2025-07-01`, {}, body)
  }

  gcp(path: string, body: object): Promise<Answer> {
    return post(`${this.#url}/v1/projects/local/locations/global/keyRings${path}`, {}, body)
  }

  async createAws(): Promise<string> {
    const made = await this.aws('CreateKey', { KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' })
    return (made.body.KeyMetadata as { KeyId: string } | undefined)?.KeyId ?? `not made: ${made.text}`
  }

  signAws(KeyId: string): Promise<Answer> {
    return this.aws('Sign', { KeyId, Message: MESSAGE, SigningAlgorithm: 'ECDSA_SHA_256' })
  }

  signAzure(name: string): Promise<Answer> {
    return this.azure(`${name}//sign`.replace('//', '/'), { alg: 'ES256', value: DIGEST.toString('base64url') })
  }

  signGcp(name: string): Promise<Answer> {
    const path = `/ring/cryptoKeys/${name}/cryptoKeyVersions/1:asymmetricSign`
    return this.gcp(path, { digest: { sha256: DIGEST.toString('base64') } })
  }
}

async function prepare(server: RunningTrefoil) {
  const clients = new Clients(server)
  await clients.gcp('?keyRingId=ring', {})
  for (const protectionLevel of ['HSM', 'SOFTWARE']) {
    const body = {
      purpose: 'ASYMMETRIC_SIGN',
      versionTemplate: { algorithm: 'EC_SIGN_P256_SHA256', protectionLevel },
    }
    await clients.gcp(`/ring/cryptoKeys?cryptoKeyId=${protectionLevel.toLowerCase()}`, body)
  }
  await clients.azure('hsm/create', { kty: 'EC-HSM', crv: 'P-256' })
  await clients.azure('software/create', { kty: 'EC', crv: 'P-256' })
  const key = await clients.createAws()
  const inToken = {
    aws: () => clients.signAws(key),
    azure: () => clients.signAzure('hsm'),
    gcp: () => clients.signGcp('hsm'),
  }
  const inSoftware = { azure: () => clients.signAzure('software'), gcp: () => clients.signGcp('software') }
  return { clients, inToken, inSoftware }
}

/** Unavailable, or too late where the token did not answer at all. */
const UNAVAILABLE = {
  aws: /^(KeyUnavailableException|DependencyTimeoutException)$/,
  azure: /ServiceUnavailable|cryptographic module/,
  gcp: /UNAVAILABLE|DEADLINE_EXCEEDED/,
} as const

/** `lasting`: while it holds, every request for the token fails; else it may be over before the second. */
type Fault = {
  readonly name: string
  readonly lasting: boolean
  begin(hsm: ShimmedHsm): Promise<void>
  end(hsm: ShimmedHsm): Promise<void>
}

const control = (name: string, file: Control, lasting: boolean, value = ''): Fault => ({
  name,
  lasting,
  begin: (hsm) => hsm.set(file, value),
  end: (hsm) => hsm.unset(file),
})
const tokens = (hsm: ShimmedHsm) => [join(hsm.directory, 'tokens'), join(hsm.directory, 'away')] as const

const FAULTS: readonly Fault[] = [
  control('SIGSEGV under load', 'crash', false),
  control('a call that hangs', 'hang', true),
  control('every session invalidated', 'invalidate', false),
  control('CKR_DEVICE_ERROR', 'fail', true, String(0x30)),
  control('CKR_DEVICE_MEMORY', 'fail', true, String(0x31)),
  control('CKR_USER_NOT_LOGGED_IN', 'fail', true, String(0x101)),
  {
    name: 'a token removed and back',
    lasting: true,
    begin: (hsm) => rename(...tokens(hsm)),
    end: (hsm) => rename(...([...tokens(hsm)].reverse() as [string, string])),
  },
]

async function recovered(work: () => Promise<Answer>): Promise<void> {
  for (let i = 0; i < 300 && (await work()).status !== 200; i += 1) await sleep(50)
}

t.test('a wrong PIN', { skip: missing ?? false }, async (t) => {
  const hsm = await makeShimmedHsm()
  const pin = { env: 'WRONG_PIN' }
  const entry = { name: 'a', library: hsm.library, tokenLabel: hsm.tokenLabel, pin, deadlineMs: DEADLINE_MS }
  const server = await startTrefoil({ env: { ...hsm.env, WRONG_PIN: 'pin-0815' }, config: { hsm: [entry] } })
  t.teardown(async () => {
    await server.stop()
    await hsm.close()
  })
  const clients = new Clients(server)
  const refused = await clients.azure('hsm/create', { kty: 'EC-HSM', crv: 'P-256' })
  t.match(refused.text, UNAVAILABLE.azure)
  t.equal((await clients.azure('software/create', { kty: 'EC', crv: 'P-256' })).status, 200, 'software goes on')
  const ready = await fetch(`${server.plainUrl}/_/health/ready`)
  t.equal(ready.status, 503)
  t.match(await ready.text(), /pkcs11:a.*refused the PIN/, 'readiness says so')
  t.equal(await hsm.logins(), 1, 'exactly one C_Login')
  t.notMatch(server.log(), '0815', 'and the PIN is nowhere')
})

t.test('a token that fails', { skip: missing ?? false }, async (t) => {
  const hsm = await makeShimmedHsm()
  const entry = {
    name: 'a',
    library: hsm.library,
    tokenLabel: hsm.tokenLabel,
    pin: { file: join(hsm.directory, 'pin') },
  }
  const config = { hsm: [{ ...entry, sessions: 4, deadlineMs: DEADLINE_MS }], defaultBackend: 'pkcs11:a' }
  const server = await startTrefoil({ env: hsm.env, config })
  t.teardown(async () => {
    await server.stop()
    await hsm.close()
  })
  const { clients, inToken, inSoftware } = await prepare(server)
  const acknowledged: string[] = []
  for (const fault of FAULTS) await t.test(fault.name, (t) => suffers(t, fault))

  async function suffers(t: Test, fault: Fault): Promise<void> {
    await fault.begin(hsm)
    const load = Array.from({ length: 8 }, () => inToken.aws())
    const making = Array.from({ length: 3 }, () => clients.createAws())
    for (const [dialect, sign] of Object.entries(inSoftware))
      t.equal((await sign()).status, 200, `${dialect}, software`)
    const outcomes = [
      ...(await Promise.all(load)).map((answer) => ['aws', answer] as const),
      ...(await Promise.all(Object.entries(inToken).map(async ([name, sign]) => [name, await sign()] as const))),
    ]
    for (const [dialect, { status, text, body }] of outcomes) {
      if (status === 200 && !fault.lasting) continue
      const said = dialect === 'aws' ? String(body.__type) : text
      t.match(said, UNAVAILABLE[dialect as keyof typeof UNAVAILABLE], `${dialect}: ${status}`)
    }
    if (!fault.lasting) t.ok(outcomes.length > 0)
    for (const [dialect, sign] of Object.entries(inSoftware))
      t.equal((await sign()).status, 200, `${dialect}, software`)
    acknowledged.push(...(await Promise.all(making)).filter((id) => !id.startsWith('not made')))
    await fault.end(hsm)
    await recovered(inToken.aws)
    for (const [dialect, sign] of Object.entries(inToken))
      t.equal((await sign()).status, 200, `${dialect}: the same key again`)
    for (const id of acknowledged)
      t.equal((await clients.signAws(id)).status, 200, 'a key that was acknowledged is there')
    t.match(await (await fetch(`${server.plainUrl}/_/health/ready`)).text(), /"?(ready|ok)/i)
  }
})
