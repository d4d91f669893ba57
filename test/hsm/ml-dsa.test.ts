/** ML-DSA in a token by PKCS#11 v3.2: NSS under the backend's own suite, and what only tokens can be asked. */
import { createPublicKey, generateKeyPairSync, randomBytes, verify } from 'node:crypto'
import t from 'tap'
import { KEY_SPEC_NAMES, specRow } from '../../src/core/algorithm.ts'
import { Secret } from '../../src/core/secret.ts'
import { readDer, readDerAll } from '../../src/hsm/der.ts'
import { openPkcs11Backend } from '../../src/hsm/pkcs11.ts'
import { backendSuite, callContext, newHome, refusal } from '../conformance/backend.ts'
import { makeNss, nssMissing } from '../support/nss.ts'

const ML_DSA = KEY_SPEC_NAMES.filter((spec) => specRow(spec).type === 'ml-dsa')

const options = nssMissing === undefined ? {} : { skip: nssMissing }
const NOTHING = Buffer.alloc(0)

t.test('NSS', options, async (t) => {
  const token = await makeNss()
  t.teardown(() => token.close())

  for (const mlDsa of ['hedged', 'deterministic'] as const) {
    t.test(mlDsa, async (t) => {
      const backend = await openPkcs11Backend({ ...token, mlDsa })
      t.teardown(() => backend.close())
      for (const spec of ML_DSA) {
        const home = newHome()
        const { ref, spki = Buffer.alloc(0) } = await backend.generateKey(spec, home, callContext())
        const handle = { ...home, spec, ref }
        const key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' })
        const message = randomBytes(100)
        for (const context of [undefined, new Uint8Array(), randomBytes(1), randomBytes(255)]) {
          const sign = async () =>
            Buffer.from(await backend.sign(handle, 'ml_dsa', { message, context }, callContext()))
          const [one, other] = [await sign(), await sign()]
          const options = { key, context: context ?? new Uint8Array() }
          const name = `${spec}, a context of ${context?.length ?? 'no'} bytes`
          t.ok(verify(null, message, options, one) && verify(null, message, options, other), `${name}: node verifies`)
          const strange = { key, context: Buffer.concat([options.context, Buffer.of(1)]).subarray(-255) }
          t.notOk(verify(null, message, strange, one), `${name}: not under another`)
          t.equal(one.equals(other), mlDsa === 'deterministic', `${name}: twice`)
        }
        await backend.destroyKey(handle, callContext())
      }
    })
  }

  backendSuite(t, () => openPkcs11Backend(token), { specs: ML_DSA })
})

function der(tag: number, content: Uint8Array): Buffer {
  const { length } = content
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.of(tag, ...size), content])
}

/** The three forms of RFC 9881 section 6, of the one with both that OpenSSL writes. */
function formsOf(pkcs8: Buffer): Readonly<Record<'both' | 'seed' | 'expanded', Buffer>> {
  const [version, algorithm, field] = readDerAll(readDer(pkcs8)?.content ?? NOTHING) ?? []
  const [seed, expanded] = readDerAll(readDer(field?.content ?? NOTHING)?.content ?? NOTHING) ?? []
  if (version === undefined || algorithm === undefined || seed === undefined || expanded === undefined)
    throw new Error('OpenSSL writes another form')
  const head = [der(0x02, version.content), der(0x30, algorithm.content)]
  const wrap = (value: Buffer) => der(0x30, Buffer.concat([...head, der(0x04, value)]))
  return { both: pkcs8, seed: wrap(der(0x80, seed.content)), expanded: wrap(der(0x04, expanded.content)) }
}

t.test('imported, in each form', options, async (t) => {
  const token = await makeNss()
  const backend = await openPkcs11Backend(token)
  t.teardown(async () => {
    await backend.close()
    await token.close()
  })
  for (const spec of ML_DSA) {
    const row = specRow(spec)
    if (row.type !== 'ml-dsa') continue
    const { privateKey, publicKey } = generateKeyPairSync(row.node as 'ml-dsa-44')
    const forms = formsOf(privateKey.export({ format: 'der', type: 'pkcs8' }))
    const publicHalf = publicKey.export({ format: 'der', type: 'spki' })
    const take = async (pkcs8: Buffer) => {
      const home = newHome()
      const made = await backend.importKey(spec, new Secret(Uint8Array.from(pkcs8)), home, callContext())
      return { ...made, handle: { ...home, spec, ref: made.ref } }
    }
    for (const form of ['both', 'seed', 'expanded'] as const) {
      const { handle, spki } = await take(forms[form])
      t.equal(Buffer.from(spki ?? NOTHING).equals(publicHalf), true, `${spec}, ${form}`)
      const signature = await backend.sign(handle, 'ml_dsa', { message: NOTHING }, callContext())
      t.equal(verify(null, NOTHING, publicKey, signature), true, `${spec}, ${form}: signs`)
    }
    t.equal(await refusal(take(forms.both.subarray(0, -1))), 'invalid_argument', 'what is no key')
  }
})
