/**
 * What clients of each cloud see while a token fails: that cloud's own "unavailable" within the deadline, keys in software
 * as ever, and the same keys again when the token is back, without a hand being moved.
 */
import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type RunningTrefoil, startTrefoil } from '../support/process.ts'
import { type Control, makeShimmedHsm, type ShimmedHsm, shimMissing } from '../support/shim.ts'
import { softHsmMissing } from '../support/softhsm.ts'
import { deleteLabelled, listLabels } from '../support/token-objects.ts'
import { until } from '../support/until.ts'

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

  /** Of the only key that AWS sees and `known` does not hold. */
  async newAwsKey(known: readonly string[]): Promise<string> {
    const fresh = (await this.awsKeys()).filter((id) => !known.includes(id))
    if (fresh.length !== 1) throw new Error(`${fresh.length} new keys`)
    return fresh[0] ?? ''
  }

  async awsKeys(): Promise<readonly string[]> {
    const { body } = await this.aws('ListKeys', { Limit: 1000 })
    return (body.Keys as readonly { KeyId: string }[]).map(({ KeyId }) => KeyId)
  }

  signAzure(name: string): Promise<Answer> {
    return this.azure(`${name}//sign`.replace('//', '/'), { alg: 'ES256', value: DIGEST.toString('base64url') })
  }

  signGcp(name: string): Promise<Answer> {
    const path = `/ring/cryptoKeys/${name}/cryptoKeyVersions/1:asymmetricSign`
    return this.gcp(path, { digest: { sha256: DIGEST.toString('base64') } })
  }
}

type Signers = Readonly<Record<Dialect, () => Promise<Answer>>>
const DIALECTS = ['aws', 'azure', 'gcp'] as const
type Dialect = (typeof DIALECTS)[number]

const createGcp = (clients: Clients, name: string, protectionLevel: string): Promise<Answer> =>
  clients.gcp(`/ring/cryptoKeys?cryptoKeyId=${name}`, {
    purpose: 'ASYMMETRIC_SIGN',
    versionTemplate: { algorithm: 'EC_SIGN_P256_SHA256', protectionLevel },
  })

/** Keys of P-256 in the token and in software, made by each cloud's client; AWS's in software is one that Azure made. */
async function prepare(server: RunningTrefoil) {
  const clients = new Clients(server)
  await clients.gcp('?keyRingId=ring', {})
  await createGcp(clients, 'hsm', 'HSM')
  await createGcp(clients, 'software', 'SOFTWARE')
  await clients.azure('hsm/create', { kty: 'EC-HSM', crv: 'P-256' })
  const key = await clients.createAws()
  const known = await clients.awsKeys()
  await clients.azure('software/create', { kty: 'EC', crv: 'P-256' })
  const software = await clients.newAwsKey(known)
  const inToken: Signers = {
    aws: () => clients.signAws(key),
    azure: () => clients.signAzure('hsm'),
    gcp: () => clients.signGcp('hsm'),
  }
  const inSoftware: Signers = {
    aws: () => clients.signAws(software),
    azure: () => clients.signAzure('software'),
    gcp: () => clients.signGcp('software'),
  }
  return { clients, inToken, inSoftware }
}

/** Signs with each without a pause until it is stopped; says which answers there were, by dialect. */
function keepSigning(signers: Signers): () => Promise<Readonly<Record<string, readonly number[]>>> {
  let stopped = false
  const answers = DIALECTS.map(async (dialect) => {
    const seen = new Set<number>()
    do seen.add((await signers[dialect]()).status)
    while (!stopped)
    return [dialect, [...seen]] as const
  })
  return async () => {
    stopped = true
    return Object.fromEntries(await Promise.all(answers))
  }
}
const ALL_WELL = { aws: [200], azure: [200], gcp: [200] }

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
    // One more process finds no session free in the token.
    name: 'CKR_SESSION_COUNT',
    lasting: true,
    begin: async (hsm) => {
      await hsm.set('sessions')
      await hsm.set('crash')
    },
    end: (hsm) => hsm.unset('sessions'),
  },
  {
    name: 'a token removed and back',
    lasting: true,
    begin: (hsm) => rename(...tokens(hsm)),
    end: (hsm) => rename(...([...tokens(hsm)].reverse() as [string, string])),
  },
]

const recovered = (work: () => Promise<Answer>): Promise<void> => {
  let last: Answer | undefined
  return until(
    'the token serves again',
    async () => {
      last = await work()
      return last.status === 200
    },
    () => last?.text,
  )
}

function assertUnavailable(t: Test, dialect: Dialect, { status, text, body }: Answer): void {
  const said = dialect === 'aws' ? String(body.__type) : text
  t.match(said, UNAVAILABLE[dialect], `${dialect}: ${status}`)
}

/** A server with a token behind the shim as its default backend. */
async function startShimmed(t: Test, deadlineMs: number) {
  const hsm = await makeShimmedHsm()
  const pin = { file: join(hsm.directory, 'pin') }
  const entry = { name: 'a', library: hsm.library, tokenLabel: hsm.tokenLabel, pin, sessions: 4, deadlineMs }
  const server = await startTrefoil({ env: hsm.env, config: { hsm: [entry], defaultBackend: 'pkcs11:a' } })
  t.teardown(async () => {
    await server.stop()
    await hsm.close()
  })
  return { hsm, server, ...(await prepare(server)) }
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
  const { hsm, server, clients, inToken, inSoftware } = await startShimmed(t, DEADLINE_MS)
  const acknowledged: string[] = []
  for (const fault of FAULTS) await t.test(fault.name, (t) => suffers(t, fault))

  async function suffers(t: Test, fault: Fault): Promise<void> {
    await fault.begin(hsm)
    const stop = keepSigning(inSoftware)
    const load = Array.from({ length: 8 }, () => inToken.aws())
    const making = Array.from({ length: 3 }, () => clients.createAws())
    const outcomes: (readonly [Dialect, Answer])[] = (await Promise.all(load)).map((answer) => ['aws', answer])
    for (const dialect of DIALECTS) outcomes.push([dialect, await inToken[dialect]()])
    for (const [dialect, answer] of outcomes) {
      if (answer.status !== 200 || fault.lasting) assertUnavailable(t, dialect, answer)
    }
    acknowledged.push(...(await Promise.all(making)).filter((id) => !id.startsWith('not made')))
    t.same(await stop(), ALL_WELL, 'all that keys in software were asked for meanwhile')
    await fault.end(hsm)
    await recovered(inToken.aws)
    for (const dialect of DIALECTS) t.equal((await inToken[dialect]()).status, 200, `${dialect}: the same key again`)
    for (const id of acknowledged)
      t.equal((await clients.signAws(id)).status, 200, 'a key that was acknowledged is there')
    t.match(await (await fetch(`${server.plainUrl}/_/health/ready`)).text(), /"?(ready|ok)/i)
  }
})

t.test('keys in software wait for no token', { skip: missing ?? false }, async (t) => {
  const { hsm, inToken, inSoftware } = await startShimmed(t, 8000)
  await hsm.set('hang')
  let answered = false
  const waiting = inToken.aws().finally(() => {
    answered = true
  })
  for (const dialect of DIALECTS) t.equal((await inSoftware[dialect]()).status, 200, dialect)
  t.notOk(answered, 'they answered while the token had not')
  await hsm.unset('hang')
  t.equal((await waiting).status, 200, 'and then it has')
})

t.test('objects that another process deletes', { skip: missing ?? false }, async (t) => {
  const { hsm, clients, inToken, inSoftware } = await startShimmed(t, DEADLINE_MS)
  const aws: { key?: string } = {}
  const doomed: Readonly<Record<Dialect, { make(): Promise<unknown>; sign(): Promise<Answer> }>> = {
    aws: {
      make: async () => {
        aws.key = await clients.createAws()
      },
      sign: () => clients.signAws(aws.key ?? ''),
    },
    azure: {
      make: () => clients.azure('doomed/create', { kty: 'EC-HSM', crv: 'P-256' }),
      sign: () => clients.signAzure('doomed'),
    },
    gcp: { make: () => createGcp(clients, 'doomed', 'HSM'), sign: () => clients.signGcp('doomed') },
  }
  for (const dialect of DIALECTS) {
    const { make, sign } = doomed[dialect]
    const before = await listLabels(hsm)
    await make()
    t.equal((await sign()).status, 200, dialect)
    const made = (await listLabels(hsm)).filter((label) => !before.includes(label))
    t.equal(made.length, 1)
    await deleteLabelled(hsm, made[0] ?? '')
    assertUnavailable(t, dialect, await sign())
    for (const other of DIALECTS) {
      t.equal((await inToken[other]()).status, 200, `${other}: the token's other keys`)
      t.equal((await inSoftware[other]()).status, 200, `${other}, software`)
    }
  }
  const deletion = await clients.aws('ScheduleKeyDeletion', { KeyId: aws.key, PendingWindowInDays: 7 })
  t.equal(deletion.status, 200, 'and such a key can be deleted')
})
