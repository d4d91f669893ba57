/** The part of the backend suite that brings keys made elsewhere into a backend. */
import { createHmac, createPublicKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import type { Test } from 'tap'
import { type Algorithm, algorithmRow, isAsymmetric, type KeySpec, specRow } from '../../src/core/algorithm.ts'
import type { CryptoBackend, SignInput } from '../../src/core/ports.ts'
import { Secret } from '../../src/core/secret.ts'
import { verify } from '../../src/core/verify.ts'
import { encodePkcs8 } from '../../src/core/x-wing.ts'
import { type BackendSuiteOptions, callContext, equal, type Made, newHome, refusal, usable } from './backend.ts'
import { paramsFor, sharesSecret, signInputs } from './inputs.ts'

type Elsewhere = { readonly material: Buffer; readonly key: KeyObject | undefined }

/** A key made outside the backend. */
function makeElsewhere(spec: KeySpec): Elsewhere {
  const row = specRow(spec)
  if (row.type === 'aes' || row.type === 'hmac') return { material: randomBytes(row.bytes), key: undefined }
  if (row.type === 'x-wing') return { material: encodePkcs8(randomBytes(32)), key: undefined }
  const key = privateKeyOf(row)
  return { material: key.export({ format: 'der', type: 'pkcs8' }), key }
}

function privateKeyOf(row: Exclude<ReturnType<typeof specRow>, { type: 'aes' | 'hmac' | 'x-wing' }>): KeyObject {
  if (row.type === 'rsa') return generateKeyPairSync('rsa', { modulusLength: row.bits }).privateKey
  if (row.type === 'ec') return generateKeyPairSync('ec', { namedCurve: row.curve }).privateKey
  // The types know a function for each name only.
  const name = 'node' in row ? row.node : row.type
  return generateKeyPairSync(name as 'ed25519').privateKey
}

export async function imports(
  t: Test,
  backend: CryptoBackend,
  spec: KeySpec,
  options: BackendSuiteOptions,
): Promise<void> {
  const { material, key } = makeElsewhere(spec)
  const importKey = async (bytes: Uint8Array) => {
    const home = newHome()
    const { ref, spki } = await backend.importKey(spec, new Secret(Uint8Array.from(bytes)), home, callContext())
    return { handle: { ...home, spec, ref }, spki }
  }
  if (!(options.imports?.(spec) ?? true)) {
    t.equal(await refusal(importKey(material)), 'unsupported_spec', 'refused')
    return
  }
  const imported = await importKey(material)
  const again = await importKey(material)
  if (key !== undefined) {
    const spki = createPublicKey(key).export({ format: 'der', type: 'spki' })
    t.ok(equal(imported.spki ?? new Uint8Array(), spki), 'the same public key')
  }
  for (const algorithm of usable(backend, spec)) await sameKey(t, backend, algorithm, imported, again, material)
  for (const { handle } of [imported, again]) await backend.destroyKey(handle, callContext())

  const stranger: KeySpec = spec === 'ec_p256' ? 'ec_p384' : isAsymmetric(spec) ? 'ec_p256' : 'hmac_512'
  const wrong = {
    'one byte short': material.subarray(0, -1),
    'one byte long': Buffer.concat([material, Buffer.alloc(1)]),
    nothing: new Uint8Array(),
    garbage: randomBytes(300),
    ...(spec !== stranger && { [stranger]: makeElsewhere(stranger).material }),
  }
  for (const [name, bytes] of Object.entries(wrong))
    t.equal(await refusal(importKey(bytes)), 'invalid_argument', `${name} refused`)
}

/** Two imports of the same bytes are the same key, and it is the one that was imported. */
async function sameKey(
  t: Test,
  backend: CryptoBackend,
  algorithm: Algorithm,
  one: Made,
  two: Made,
  material: Buffer,
): Promise<void> {
  const row = algorithmRow(algorithm)
  if (row.op === 'mac') {
    const message = randomBytes(50)
    const expected = createHmac(row.hash, material).update(message).digest()
    t.equal(
      Buffer.compare(await backend.mac(one.handle, algorithm, message, callContext()), expected),
      0,
      'MAC as computed elsewhere',
    )
  } else if (row.op === 'sign') {
    const input = signInputs(algorithm, randomBytes(50))[0] as SignInput
    const signature = await backend.sign(one.handle, algorithm, input, callContext())
    const holds = await verify(two.spki ?? new Uint8Array(), two.handle.spec, algorithm, input, signature)
    t.equal(holds, true, `${algorithm} signature`)
  } else if (row.op === 'encrypt') {
    const message = randomBytes(48)
    const params = paramsFor(algorithm)
    const sealed = await backend.encrypt(one.handle, algorithm, message, params, callContext())
    const opened = await backend.decrypt(two.handle, algorithm, sealed, params, callContext())
    t.ok(equal(opened, message), `${algorithm} opens`)
  } else {
    t.ok(await sharesSecret(backend, one, two, algorithm), `${algorithm} shares a secret`)
  }
}
