/** Azure Managed HSM's side of the EKM proxy API 0.1-preview. */
import { constants, createPublicKey, publicEncrypt, randomBytes, randomUUID } from 'node:crypto'
import type { AzureEkmConfig } from '../../config/exposures/azure-ekm.ts'
import { type Answer, Caller, expect, textMember } from './caller.ts'
import { Mismatch, type Report } from './report.ts'
import type { Target } from './target.ts'
import { refusedWithout } from './tls.ts'

const QUERY = '?api-version=0.1-preview'
const OAEP = { 'RSA-OAEP-256': 'sha256', 'RSA-OAEP': 'sha1' } as const
const SIZES: Readonly<Record<string, readonly unknown[]>> = { oct: [256], RSA: [2048, 3072, 4096] }
const CLIENT_FIX =
  'give --cert and --key of a client that the exposure lists under clients, its authority in tls.clientCa of the listener'

const body = (members: object = {}): string =>
  JSON.stringify({
    request_context: { request_id: randomUUID(), correlation_id: randomUUID(), pool_name: 'trefoil-expose-check' },
    ...members,
  })
const same = (a: Uint8Array, text: string): boolean => Buffer.from(a).toString('base64url') === text

class Side {
  readonly #caller: Caller
  readonly #path: string

  constructor(caller: Caller, path: string) {
    this.#caller = caller
    this.#path = path
  }

  ask(rest: string, members?: object, query = QUERY): Promise<Answer> {
    return this.#caller.send({ path: `${this.#path}${rest}${query}`, body: body(members) })
  }
}

async function roundTrip(side: Side, key: string, alg: string, bytes: number): Promise<void> {
  const plaintext = randomBytes(bytes)
  const wrapped = expect(await side.ask(`/${key}/wrapkey`, { alg, value: plaintext.toString('base64url') }), 200)
  const opened = expect(await side.ask(`/${key}/unwrapkey`, { alg, value: textMember(wrapped, 'value') }), 200)
  if (!same(plaintext, textMember(opened, 'value'))) throw new Mismatch(`${alg} does not give back what it was given`)
}

/** Azure has the public key, and may encrypt by itself. */
async function encryptedOutside(side: Side, key: string, metadata: Answer): Promise<void> {
  const { n, e } = metadata.json
  const publicKey = createPublicKey({ key: { kty: 'RSA', n: String(n), e: String(e) }, format: 'jwk' })
  for (const [alg, oaepHash] of Object.entries(OAEP)) {
    const plaintext = randomBytes(32)
    const padding = constants.RSA_PKCS1_OAEP_PADDING
    const value = publicEncrypt({ key: publicKey, oaepHash, padding }, plaintext).toString('base64url')
    const opened = expect(await side.ask(`/${key}/unwrapkey`, { alg, value }), 200)
    if (!same(plaintext, textMember(opened, 'value'))) throw new Mismatch(`${alg} opens to something else`)
  }
}

function checkKey(report: Report, side: Side, key: string): Promise<boolean> {
  const fix =
    'see that the key is there, is enabled, is AES-256 (raw) or RSA, and may wrap and unwrap: trefoil key show'
  return report.check(`key ${key}`, fix, async () => {
    const metadata = expect(await side.ask(`/${key}/metadata`), 200)
    const { key_type: type, key_size: size, key_ops: ops } = metadata.json
    if (SIZES[String(type)]?.includes(size) !== true) throw new Mismatch(`is of type ${type} ${size}`)
    if (JSON.stringify(ops) !== '["wrapKey","unwrapKey"]') throw new Mismatch(`has key_ops ${JSON.stringify(ops)}`)
    if (type === 'oct') {
      await roundTrip(side, key, 'A256KW', 32)
      await roundTrip(side, key, 'A256KWP', 33)
    } else {
      await roundTrip(side, key, 'RSA-OAEP-256', 32)
      await roundTrip(side, key, 'RSA-OAEP', 32)
      await encryptedOutside(side, key, metadata)
    }
    return `${type} ${size}`
  })
}

/** `key`: one that works. */
async function checkRefusals(
  report: Report,
  caller: Caller,
  side: Side,
  path: string,
  key: string | undefined,
): Promise<void> {
  const fix = 'this is a fault of the server: report it'
  const refused = (what: string, status: number | readonly number[], ask: () => Promise<Answer>) =>
    report.check(`refuses ${what}`, fix, async () => `${expect(await ask(), status).status}`)
  const nothing = `trefoil-${randomUUID()}`
  await refused('another api-version', 400, () => side.ask('/info', {}, '?api-version=9.9'))
  await refused('GET', 405, () => caller.send({ method: 'GET', path: `${path}/info${QUERY}` }))
  await refused('a key that is not there', 404, () => side.ask(`/${nothing}/metadata`))
  await refused('a prefix that is not its own', 401, () =>
    caller.send({ path: `/${nothing}/info${QUERY}`, body: body() }),
  )
  if (key === undefined) return
  await refused('an algorithm that is not there', 400, () =>
    side.ask(`/${key}/wrapkey`, { alg: 'A256KWPAD', value: randomBytes(16).toString('base64url') }),
  )
  await refused('base64 with padding', 400, () =>
    side.ask(`/${key}/wrapkey`, { alg: 'A256KW', value: randomBytes(16).toString('base64') }),
  )
  await refused('what was not wrapped here', 400, () =>
    side.ask(`/${key}/unwrapkey`, { alg: 'A256KW', value: randomBytes(40).toString('base64url') }),
  )
}

const info = (path: string) => (caller: Caller) =>
  caller.send({ path: `${path}/info${QUERY}`, body: body() }).then((answer) => expect(answer, [401, 403]))

export async function checkAzureEkm(report: Report, target: Target, exposure: AzureEkmConfig): Promise<void> {
  const { path, keys } = exposure
  const open = 'let the listener have tls.clientCa'
  await refusedWithout(report, target, 'refuses a client without a certificate', open, undefined, info(path))
  if (target.identity === undefined) {
    report.skip('everything of a known client', CLIENT_FIX)
    return
  }
  const old = 'set tls.minVersion of the listener to TLSv1.3'
  await refusedWithout(report, target, 'refuses TLS 1.2', old, target.identity, info(path), true)
  const caller = new Caller(target, target.identity, { minVersion: 'TLSv1.3' })
  const side = new Side(caller, path)
  try {
    const known = await report.check('info', CLIENT_FIX, async () => {
      const answer = expect(await side.ask('/info'), 200, ['api_version', '0.1-preview'])
      for (const name of ['proxy_vendor', 'proxy_name', 'ekm_vendor', 'ekm_product']) textMember(answer, name)
      return textMember(answer, 'ekm_product')
    })
    if (!known) return
    const usable: string[] = []
    for (const { id } of keys) if (await checkKey(report, side, id)) usable.push(id)
    await checkRefusals(report, caller, side, path, usable[0])
  } finally {
    caller.close()
  }
  const times = caller.times.slice(1).sort((a, b) => a - b)
  await report.check(
    'in time',
    'put it nearer to Azure, or see what its HSM takes: Azure waits for 250 ms',
    async () => {
      const slowest = Math.round(times.at(-1) ?? 0)
      if (slowest >= 250) throw new Mismatch(`the slowest of ${times.length} answers took ${slowest} ms`)
      return `the slowest of ${times.length} answers took ${slowest} ms from here`
    },
  )
}
