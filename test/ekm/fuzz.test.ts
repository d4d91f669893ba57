/** Odd bodies, paths and tokens against both of Google's protocols: every answer is one of theirs, and none is a failure. */
import t from 'tap'
import { createCloudEkmSurface } from '../../src/api/ekm/cloud/index.ts'
import { createKey } from '../../src/core/ops/create-key.ts'
import { type Json, rsaKey, serveIssuer, token } from '../oidc/support.ts'
import { Random, REPEAT } from '../support/random.ts'
import { DEK, makeCse, RESOURCE } from './cse-support.ts'
import { makeEkm } from './support.ts'

const ROUNDS = process.env.TEST_LONG === undefined ? 300 : 20_000
const random = new Random()
t.comment(REPEAT)

const pick = <T>(values: readonly T[]): T => random.pick(values)

const ODD: readonly unknown[] = [
  null,
  true,
  -1,
  1e308,
  '',
  ' ',
  '\u0000',
  '=',
  'AAAA',
  'A'.repeat(3000),
  '\ud83d\ude00',
  '__proto__',
  [],
  [[]],
  {},
  { a: { b: {} } },
  'x.y.z',
  '..',
  '🜛'.repeat(64),
]

/** Something of it is another thing, is gone, or has company. */
function mutate(body: Json): unknown {
  if (random.below(12) === 0) return pick(ODD)
  const names = Object.keys(body)
  const changed: Record<string, unknown> = { ...body }
  for (let i = random.between(0, 2); i > 0; i--) {
    const name = pick(names)
    const kind = random.below(4)
    if (kind === 0) delete changed[name]
    else if (kind === 1) changed[name] = pick(ODD)
    else if (kind === 2) changed[`${name}${random.below(3)}`] = pick(ODD)
    else if (typeof changed[name] === 'string') changed[name] = twist(changed[name])
  }
  return changed
}

function twist(text: string): string {
  const at = random.below(text.length + 1)
  const kind = random.below(3)
  if (kind === 0) return text.slice(0, at)
  if (kind === 1) return text + text.slice(at)
  return `${text.slice(0, at)}${pick(['A', '.', '=', '%', '\n', 'é'])}${text.slice(at + 1)}`
}

const EXPECTED: ReadonlySet<number> = new Set([200, 400, 401, 403, 404, 409, 413, 501])

t.test('Cloud EKM', async (t) => {
  const google = rsaKey('google')
  const issuer = await serveIssuer([google.jwk])
  t.teardown(() => issuer.close())
  const email = 'service-1@gcp-sa-ekms.iam.gserviceaccount.com'
  const { ask, run, clock } = await makeEkm(t, {
    settings: [
      {
        protocol: 'cloud-ekm',
        name: 'acme',
        host: 'ekm.example.org',
        deadlineMs: 10_000,
        issuer: { issuer: 'https://accounts.google.com', jwksUri: `${issuer.url}/certs` },
        callers: [email],
        keys: [
          { id: 'data', key: 'default/data' },
          { id: 'signer', key: 'default/signer' },
        ],
      },
    ],
    surfaces: (exposures, homeRealm) => [createCloudEkmSurface({ exposures, homeRealm, version: '1' })],
  })
  const ring = { by: 'name', name: 'default' } as const
  await run('gcp', createKey, { ring, name: 'data', spec: 'aes_256' })
  await run('gcp', createKey, { ring, name: 'signer', spec: 'ec_p256', purpose: 'sign_verify' })
  const exp = clock.now() / 1000 + 3600
  const good = token(
    { iss: 'https://accounts.google.com', aud: 'https://ekm.example.org', email, email_verified: true, exp },
    google,
  )
  const body: Json = {
    plaintext: DEK,
    wrappedBlob: 'AQEC',
    additionalAuthenticatedData: 'AAAA',
    additionalContext: { relativeResourceName: 'x', accessReasonContext: { reason: 'CUSTOMER_INITIATED_ACCESS' } },
    digest: { sha256: DEK },
    algorithm: 'EC_SIGN_P256_SHA256',
    permissions: ['createKey'],
  }
  const paths = [
    'data:wrap',
    'data:unwrap',
    'signer:asymmetricSign',
    'signer:getPublicKey',
    'data:destroyKey',
    'no:wrap',
  ]
  for (let round = 0; round < ROUNDS; round++) {
    const path = `/v0/keys/${pick(paths)}`
    const authorization = `Bearer ${random.below(6) === 0 ? twist(good).replace(/[^\x20-\x7e]/g, '') : good}`
    const sent = mutate(body)
    const { status } = await ask(path, { body: JSON.stringify(sent), headers: { authorization } })
    if (!EXPECTED.has(status)) t.fail(`${status} for ${path} ${JSON.stringify(sent).slice(0, 300)}`)
  }
  t.equal((await ask('/v0/keys/data:wrap', { body, headers: { authorization: `Bearer ${good}` } })).status, 200)
})

t.test('the key service', async (t) => {
  const made = await makeCse(t)
  const { wrap, post, admin, authorization, authentication } = made
  const { wrapped_key } = (await wrap()).body
  const routes = ['wrap', 'unwrap', 'digest', 'privilegedwrap', 'privilegedunwrap', 'wrapprivatekey', 'privatekeysign']
  const more = ['privatekeydecrypt', 'privilegedprivatekeydecrypt', 'rewrap', 'delegate']
  const tokens = ['writer', 'reader', 'verifier', 'signer', 'decrypter'].map((role) =>
    authorization({ role, spki_hash: DEK, spki_hash_algorithm: 'SHA-256' }),
  )
  const people = [authentication(), admin(), authentication({ email: 'bob@example.org' })]
  for (let round = 0; round < ROUNDS; round++) {
    const body: Json = {
      authorization: pick(tokens),
      authentication: pick(people),
      key: DEK,
      wrapped_key,
      wrapped_private_key: wrapped_key,
      encrypted_data_encryption_key: DEK,
      algorithm: pick(['SHA256withRSA', 'RSA/ECB/PKCS1Padding']),
      digest: DEK,
      resource_name: RESOURCE,
      perimeter_id: '',
      private_key: 'AAAA',
      spki_hash: DEK,
      spki_hash_algorithm: 'SHA-256',
      rsa_oaep_label: '',
      original_kacls_url: 'https://old.example',
      reason: 'x',
    }
    const [route, sent] = [pick([...routes, ...more]), mutate(body)]
    const { status, body: answer } = await post(route, JSON.stringify(sent))
    if (!EXPECTED.has(status)) t.fail(`${status} for ${route} ${JSON.stringify(sent).slice(0, 300)}`)
    if (status !== 200 && (answer.code !== status || typeof answer.details !== 'string')) t.fail(JSON.stringify(answer))
  }
  t.equal((await wrap()).status, 200)
})
