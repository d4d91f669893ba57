/** Google's side: Cloud EKM, and as far as that goes without two tokens, Workspace client-side encryption. */
import { randomBytes, randomUUID } from 'node:crypto'
import type { CloudEkmConfig } from '../../config/exposures/cloud-ekm.ts'
import type { CseConfig } from '../../config/exposures/cse.ts'
import { type Answer, Caller, expect, textMember } from './caller.ts'
import { Mismatch, type Report } from './report.ts'
import type { Target } from './target.ts'

const FAULT = 'this is a fault of the server: report it'
const segment = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** Tokens that nobody signed. */
function forgeries(audience: string): Readonly<Record<string, string>> {
  const now = Math.floor(Date.now() / 1000)
  const email = 'service-1@gcp-sa-ekms.iam.gserviceaccount.com'
  const claims = {
    iss: 'https://accounts.google.com',
    aud: audience,
    email,
    email_verified: true,
    iat: now,
    exp: now + 300,
  }
  const token = (header: object, signature: string) => `${segment(header)}.${segment(claims)}.${signature}`
  return {
    'a token without a signature': token({ alg: 'none', typ: 'JWT' }, ''),
    'a token of a key that is not Google’s': token(
      { alg: 'RS256', kid: randomUUID() },
      randomBytes(256).toString('base64url'),
    ),
    'what is no token': 'trefoil-expose-check',
  }
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

async function checkCloudKey(report: Report, caller: Caller, path: string, id: string, token: string): Promise<void> {
  const fix = 'see that the token’s address is under callers and its reason under reasons, and the key’s kind and state'
  const ask = (verb: string, members: object): Promise<Answer> =>
    caller.send({
      path: `${path}/keys/${id}:${verb}`,
      headers: bearer(token),
      body: JSON.stringify({
        ...members,
        additionalContext: { accessReasonContext: { reason: 'CUSTOMER_INITIATED_ACCESS' } },
      }),
    })
  await report.check(`key ${id}`, fix, async () => {
    const [plaintext, aad] = [randomBytes(32).toString('base64'), randomBytes(32).toString('base64')]
    const wrapped = await ask('wrap', { plaintext, additionalAuthenticatedData: aad })
    // A key that signs wraps nothing.
    if (wrapped.status === 400) {
      textMember(expect(await ask('getPublicKey', {}), 200), 'pem')
      return 'signs'
    }
    const wrappedBlob = textMember(expect(wrapped, 200), 'wrappedBlob')
    const opened = expect(await ask('unwrap', { wrappedBlob, additionalAuthenticatedData: aad }), 200)
    if (textMember(opened, 'plaintext') !== plaintext) throw new Mismatch('it unwraps to something else')
    expect(await ask('unwrap', { wrappedBlob }), 400)
    return 'wraps and unwraps'
  })
}

export async function checkCloudEkm(
  report: Report,
  target: Target,
  { path, keys, audience }: CloudEkmConfig,
  token: string | undefined,
): Promise<void> {
  const caller = new Caller(target, target.identity)
  const somewhere = `${path}/keys/${keys[0]?.id ?? 'none'}:wrap`
  const plain = JSON.stringify({ plaintext: randomBytes(32).toString('base64') })
  try {
    await report.check('refuses a request without a token', FAULT, async () => {
      expect(await caller.send({ path: somewhere, body: plain }), 401)
      return undefined
    })
    for (const [what, forged] of Object.entries(forgeries(audience))) {
      await report.check(`refuses ${what}`, FAULT, async () => {
        expect(await caller.send({ path: somewhere, headers: bearer(forged), body: plain }), 401)
        return undefined
      })
    }
    if (token === undefined) {
      report.skip(
        'its keys',
        `give --token: a file with an ID token for the audience ${audience} of a service account under callers`,
      )
      return
    }
    const nothing = `trefoil-${randomUUID()}`
    const known = await report.check(
      'refuses a key that is not there',
      'see that the token’s address is under callers, its audience and that it has not expired',
      async () => {
        expect(await caller.send({ path: `${path}/keys/${nothing}:wrap`, headers: bearer(token), body: plain }), 404)
        return undefined
      },
    )
    if (known) for (const { id } of keys) await checkCloudKey(report, caller, path, id, token)
  } finally {
    caller.close()
  }
}

const ORIGIN = 'https://client-side-encryption.google.com'

export async function checkCse(report: Report, target: Target, { path }: CseConfig): Promise<void> {
  const caller = new Caller(target, target.identity)
  try {
    await report.check('status', 'see that url in the exposure is what the Admin console has', async () => {
      const answer = expect(await caller.send({ method: 'GET', path: `${path}/status` }), 200, ['server_type', 'KACLS'])
      const { operations_supported: operations } = answer.json
      if (!Array.isArray(operations) || !operations.includes('wrap')) throw new Mismatch('it supports no wrap')
      return `${textMember(answer, 'vendor_id')} ${textMember(answer, 'version')}, ${operations.length} operations`
    })
    await report.check('a browser at Google may call', FAULT, async () => {
      const headers = {
        origin: ORIGIN,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'content-type',
      }
      const answer = expect(await caller.send({ method: 'OPTIONS', path: `${path}/wrap`, headers }), [200, 204])
      const allowed = answer.headers['access-control-allow-origin']
      if (allowed !== ORIGIN && allowed !== '*') throw new Mismatch(`access-control-allow-origin is ${allowed}`)
      return undefined
    })
    const request = { authorization: '', authentication: '', key: randomBytes(32).toString('base64'), reason: '' }
    for (const [what, forged] of Object.entries(forgeries('cse-authorization'))) {
      await report.check(`refuses ${what}`, FAULT, async () => {
        const members = { ...request, authorization: forged, authentication: forged }
        expect(await caller.send({ path: `${path}/wrap`, body: JSON.stringify(members) }), 401)
        return undefined
      })
    }
    report.skip(
      'wrap and unwrap',
      'Google signs one of the two tokens, and the identity provider the other: try it with a document',
    )
  } finally {
    caller.close()
  }
}
