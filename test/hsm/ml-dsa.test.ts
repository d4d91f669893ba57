/** ML-DSA in a token by PKCS#11 v3.2: NSS under the backend's own suite, and what only tokens can be asked. */
import { createPublicKey, randomBytes, verify } from 'node:crypto'
import t from 'tap'
import { KEY_SPEC_NAMES, specRow } from '../../src/core/algorithm.ts'
import { openPkcs11Backend } from '../../src/hsm/pkcs11.ts'
import { backendSuite, callContext, newHome } from '../conformance/backend.ts'
import { makeNss, nssMissing } from '../support/nss.ts'

const ML_DSA = KEY_SPEC_NAMES.filter((spec) => specRow(spec).type === 'ml-dsa')

t.test('NSS', nssMissing === undefined ? {} : { skip: nssMissing }, async (t) => {
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

  // Keys of RFC 9881's forms are not imported into tokens.
  backendSuite(t, () => openPkcs11Backend(token), { specs: ML_DSA, imports: () => false })
})
