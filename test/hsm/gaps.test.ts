/** Each gap of a token's profile really is one: the token itself refuses, asked past Trefoil. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import t from 'tap'
import { type Algorithm, KEY_SPEC_NAMES, specRow } from '../../src/core/algorithm.ts'
import { probeToken } from '../../src/hsm/probe.ts'
import { makeSoftHsm, type SoftHsm, softHsmMissing } from '../support/softhsm.ts'

/**
 * What PKCS#11 v3.2 would do the algorithm with: the call, the mechanism and its parameter in hex. Undefined where no
 * version of it has one.
 */
const WAYS: Readonly<
  Partial<Record<Algorithm, { call: 'pair' | 'derive' | 'edwards'; type: number; parameter?: string }>>
> = {
  // CKM_SP800_108_COUNTER_KDF.
  envelope_hmac_kdf: { call: 'derive', type: 0x3ac },
  // CKM_EDDSA with CK_EDDSA_PARAMS { phFlag = true, no context }.
  ed25519_ph: { call: 'edwards', type: 0x1057, parameter: '0100000000000000'.padEnd(48, '0') },
  ml_dsa: { call: 'pair', type: 0x1c },
  slh_dsa: { call: 'pair', type: 0x2d },
  slh_dsa_sha256: { call: 'pair', type: 0x2d },
  ml_kem: { call: 'pair', type: 0x0f },
}
const NO_MECHANISM: readonly Algorithm[] = ['ml_dsa_mu', 'x_wing']

/** Makes the call on a fresh token session; the name of the return code, or `done`. */
async function ask(hsm: SoftHsm, way: unknown): Promise<string> {
  const script = `
    import { verify, createPublicKey } from 'node:crypto'
    import pkcs11js from 'pkcs11js'
    const [library, pin, json] = process.argv.slice(1)
    const { call, type, parameter } = JSON.parse(json)
    const lib = new pkcs11js.PKCS11()
    lib.load(library)
    lib.C_Initialize({ flags: 2 })
    const session = lib.C_OpenSession(lib.C_GetSlotList(true)[0], 6)
    lib.C_Login(session, 1, pin)
    const aes = lib.C_GenerateKey(session, { mechanism: 0x1080 }, [{ type: 0x161, value: 32 }, { type: 0x10c, value: true }])
    const edwards = lib.C_GenerateKeyPair(session, { mechanism: 0x1055 }, [{ type: 0x180, value: Buffer.from('06032b6570', 'hex') }], [{ type: 0x108, value: true }])
    const mechanism = { mechanism: type, ...(parameter && { parameter: Buffer.from(parameter, 'hex') }) }
    try {
      if (call === 'pair') lib.C_GenerateKeyPair(session, mechanism, [], [])
      else if (call === 'wrap') {
        const own = [{ type: 0x1, value: false }, { type: 0x103, value: true }, { type: 0x162, value: true }]
        const curve = [{ type: 0x180, value: Buffer.from(parameter, 'hex') }]
        const { privateKey } = lib.C_GenerateKeyPair(session, { mechanism: 0x1055 }, curve, own)
        const uses = [{ type: 0x106, value: true }, { type: 0x107, value: true }, { type: 0x161, value: 32 }]
        const wrapping = lib.C_GenerateKey(session, { mechanism: 0x1080 }, uses)
        lib.C_WrapKey(session, { mechanism: type }, wrapping, privateKey, Buffer.alloc(8192))
      } else if (call === 'derive') lib.C_DeriveKey(session, mechanism, aes, [])
      else {
        lib.C_SignInit(session, mechanism, edwards.privateKey)
        const signature = lib.C_Sign(session, Buffer.alloc(64), Buffer.alloc(64))
        const point = lib.C_GetAttributeValue(session, edwards.publicKey, [{ type: 0x181 }])[0].value.subarray(-32)
        const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: point.toString('base64url') }, format: 'jwk' })
        // A token that overlooks the parameter signs as plain Ed25519.
        if (verify(null, Buffer.alloc(64), key, signature)) throw new Error('signed another algorithm')
      }
      console.log('done')
    } catch (error) {
      console.log(error.message)
    }
  `
  const args = ['--input-type=module', '-e', script, hsm.library, hsm.pin, JSON.stringify(way)]
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: import.meta.dirname, env: hsm.env })
  return stdout.trim()
}

t.test('SoftHSM', softHsmMissing === undefined ? {} : { skip: softHsmMissing }, async (t) => {
  const hsm = await makeSoftHsm()
  t.teardown(() => hsm.close())
  const { library, tokenLabel, pin, env } = hsm
  const report = await probeToken({ name: 'soft', library, tokenLabel, pin, env, sessions: 2, deadlineMs: 20_000 })
  if (!report.ok) throw new Error(report.problem.detail)
  const { algorithms, gaps } = report.profile
  for (const spec of KEY_SPEC_NAMES) {
    const lacking = gaps.filter((gap) => gap.spec === spec).map(({ algorithm }) => algorithm)
    const all = [...(algorithms[spec] ?? []), ...lacking].sort()
    t.same(all, [...specRow(spec).algorithms].sort(), `${spec}: each algorithm is there, or a declared gap`)
  }
  for (const algorithm of new Set(gaps.map((gap) => gap.algorithm))) {
    const way = WAYS[algorithm]
    if (way === undefined) t.ok(NO_MECHANISM.includes(algorithm), `${algorithm}: no mechanism of PKCS#11 does it`)
    else t.match(await ask(hsm, way), /CKR_|signed another algorithm/, `${algorithm}: refused by the token`)
  }
})

t.test('SoftHSM, keys wrapped', softHsmMissing === undefined ? {} : { skip: softHsmMissing }, async (t) => {
  const hsm = await makeSoftHsm()
  t.teardown(() => hsm.close())
  const { library, tokenLabel, pin, env } = hsm
  const config = { name: 'soft', library, tokenLabel, pin, env, sessions: 2, deadlineMs: 20_000 }
  const [token, wrapped] = [await probeToken(config), await probeToken({ ...config, keyStorage: 'wrapped' })]
  if (!token.ok || !wrapped.ok) throw new Error('no profile')
  const others = wrapped.profile.gaps.filter(({ reason }) => reason !== 'wrap')
  t.same(others, token.profile.gaps, 'the gaps of use are the same')
  const curves = { ed25519: '06032b6570', x25519: '06032b656e' } as const
  for (const spec of new Set(wrapped.profile.gaps.filter(({ reason }) => reason === 'wrap').map((gap) => gap.spec))) {
    const parameter = curves[spec as keyof typeof curves]
    // CKM_AES_KEY_WRAP, _PAD and _KWP.
    for (const type of [0x2109, 0x210a, 0x210b])
      t.match(await ask(hsm, { call: 'wrap', type, parameter }), /CKR_/, `${spec}: not by 0x${type.toString(16)}`)
  }
})
