/** The add-on alone: what it signs, what it refuses, and what a preloaded library is bound to. */
import { execFileSync } from 'node:child_process'
import { createHmac, generateKeyPairSync, type KeyObject, randomBytes, verify } from 'node:crypto'
import { closeSync, existsSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { LIBRARIES } from '../../softhsm/init-token.ts'
import type { NativeAddon, TokenUse } from '../../src/native/addon.ts'
import { addon, addonMissing } from '../support/addon.ts'

const pkcs8 = (key: KeyObject): Buffer => key.export({ format: 'der', type: 'pkcs8' })
const softhsm = LIBRARIES.find((path) => existsSync(path))

t.test('the add-on', { skip: addonMissing }, async (t) => {
  if (addon !== undefined) suite(t, addon)
})

function suite(t: Test, addon: NativeAddon): void {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const ec = addon.importKey(pkcs8(privateKey))
  const mlDsa = addon.importKey(pkcs8(generateKeyPairSync('ml-dsa-44').privateKey))

  t.test('imports keys that it signs with only', async (t) => {
    const der = pkcs8(privateKey)
    const others = [generateKeyPairSync('ed25519'), generateKeyPairSync('rsa', { modulusLength: 1024 })]
    const refused = [Buffer.alloc(0), der.subarray(0, -1), Buffer.concat([der, Buffer.alloc(1)])]
    for (const bytes of [...refused, ...others.map((pair) => pkcs8(pair.privateKey))]) {
      t.throws(() => addon.importKey(bytes), /not a key to sign with/)
    }
    t.throws(() => addon.importKey('text' as unknown as Uint8Array), /not a Uint8Array/)
    t.throws(() => addon.importKey(new Uint16Array(4) as unknown as Uint8Array), /not a Uint8Array/)
  })

  t.test('takes handles of its own only', async (t) => {
    for (const handle of [{}, undefined, 1, 'key', privateKey]) {
      t.throws(() => addon.sign(handle as never, Buffer.alloc(32)), /not a handle/)
      t.throws(() => addon.signAsync(handle as never, Buffer.alloc(32)), /not a handle/)
    }
  })

  t.test('bounds what is signed', async (t) => {
    for (const length of [0, 65, 1 << 20]) t.throws(() => addon.sign(ec, Buffer.alloc(length)), /not the length/)
    for (const length of [0, 32, 63, 65]) t.throws(() => addon.signAsync(mlDsa, Buffer.alloc(length)), /not the length/)
  })

  t.test('seals only what has the lengths of a message', async (t) => {
    const key = addon.importSecret(randomBytes(32))
    const [derivation, iv, aad, text, out] = [Buffer.alloc(53), Buffer.alloc(12), Buffer.alloc(46), Buffer.alloc(8), 24]
    for (const length of [0, 16, 31, 33]) t.throws(() => addon.importSecret(Buffer.alloc(length)), /32 bytes/)
    for (const length of [0, 11, 13, 16]) {
      t.throws(() => addon.seal(key, derivation, Buffer.alloc(length), aad, text, Buffer.alloc(out)), /not the lengths/)
    }
    for (const length of [0, 7, 23, 25]) {
      t.throws(() => addon.seal(key, derivation, iv, aad, text, Buffer.alloc(length)), /not the lengths/)
      t.throws(() => addon.open(key, derivation, iv, aad, Buffer.alloc(24), Buffer.alloc(length)), /not the lengths/)
    }
    for (const length of [0, 1, 15]) {
      t.throws(() => addon.open(key, derivation, iv, aad, Buffer.alloc(length), Buffer.alloc(0)), /not the lengths/)
    }
    for (const handle of [{}, undefined, 'key', ec]) {
      t.throws(() => addon.seal(handle as never, derivation, iv, aad, text, Buffer.alloc(out)), /not a handle/)
      t.throws(() => addon.open(handle as never, derivation, iv, aad, Buffer.alloc(out), text), /not a handle/)
    }
    t.throws(() => addon.sign(key as never, Buffer.alloc(32)), /not a handle/)
    const refused = Buffer.alloc(8, 1)
    t.equal(addon.open(key, derivation, iv, aad, Buffer.alloc(24), refused), false)
    t.equal(Buffer.compare(refused, Buffer.alloc(8)), 0, 'nothing of what does not open is left')
  })

  t.test('makes the MACs that node:crypto makes', async (t) => {
    const key = randomBytes(32)
    const secret = addon.importSecret(key)
    const texts = ['', 'a', 'é€😀', '\ud800', ...[4090, 4091, 4092, 4093, 4095, 4096, 70_000].map((n) => 'x'.repeat(n))]
    for (const text of [...texts, `${'x'.repeat(4090)}😀`, '😀'.repeat(1023), '€'.repeat(1365)]) {
      const expected = createHmac('sha256', key).update(text).digest('base64url')
      t.equal(addon.mac(secret, text), expected, `${text.length} units`)
    }
    for (const text of [undefined, 1, Buffer.alloc(3)]) t.throws(() => addon.mac(secret, text as never), /not a string/)
    t.throws(() => addon.mac(ec as never, ''), /not a handle/)
  })

  t.test('appends durably, or says why not', async (t) => {
    const directory = t.testdir()
    const fd = openSync(join(directory, 'log'), 'w+')
    t.teardown(() => closeSync(fd))
    const pieces = [randomBytes(10), Buffer.alloc(0), randomBytes(300_000)]
    let end = 0
    for (const piece of pieces) {
      await addon.append(fd, piece, end)
      end += piece.length
    }
    t.equal(Buffer.compare(readFileSync(join(directory, 'log')), Buffer.concat(pieces)), 0)
    const readOnly = openSync(join(directory, 'log'), 'r')
    t.teardown(() => closeSync(readOnly))
    await t.rejects(addon.append(readOnly, Buffer.of(1), 0), /Bad file descriptor/)
    for (const [place, position] of [
      [-1, 0],
      [fd, -1],
      ['1', 0],
    ]) {
      t.throws(() => addon.append(place as number, Buffer.of(1), position as number), /not a place/)
    }
    t.throws(() => addon.append(fd, 'text' as never, 0), /not a Uint8Array/)
  })

  t.test('uses keys of modules that are one', { skip: softhsm === undefined && 'no tool: SoftHSM' }, async (t) => {
    for (const path of ['', 'x'.repeat(5000)]) t.throws(() => addon.tokenModule(path), /not a path/)
    for (const path of ['/no/such/library.so', process.execPath])
      t.throws(() => addon.tokenModule(path), /not a PKCS#11/)
    const module = addon.tokenModule(softhsm ?? '')
    const [word, none] = [Buffer.alloc(8), Buffer.alloc(0)]
    const good: TokenUse = [module, 0, word, word, 0x1041, 0, none, none, 0, none, none, 0, none, none, none]
    const NOT_INITIALIZED = 0x190
    // The stage is Init's.
    t.equal(addon.tokenUse(...good), -(4 * NOT_INITIALIZED + 1) - 1, 'what the module answers')
    const later = new Promise((resolve) => addon.tokenUseLater(...good, (...told) => resolve(told)))
    t.match(await later, [-(4 * NOT_INITIALIZED + 1) - 1, Number], 'and on the pool')
    const wrong: readonly (readonly [number, unknown, RegExp])[] = [
      [0, {}, /not a handle of a module/],
      [0, ec, /not a handle of a module/],
      [1, 3, /not a use/],
      [1, -1, /not a use|not a number/],
      [2, Buffer.alloc(7), /not a handle of PKCS#11/],
      [3, 'key', /not a Uint8Array/],
      [4, 'mechanism', /not a number/],
      [5, 3, /not a use/],
      [5, 2, /not a use/],
      [10, undefined, /not a Uint8Array/],
    ]
    for (const [at, value, reason] of wrong) {
      const use = good.with(at, value as never) as unknown as TokenUse
      t.throws(() => addon.tokenUse(...use), reason, `argument ${at}`)
      t.throws(() => addon.tokenUseLater(...use, () => t.fail('not called')), reason, `argument ${at}, later`)
    }
    const CKR_ARGUMENTS_BAD = 7
    for (const template of [Buffer.alloc(15), Buffer.alloc(16, 0xff), Buffer.alloc(17 * 16)]) {
      const use = good.with(12, Buffer.alloc(16)).with(14, template) as unknown as TokenUse
      t.equal(addon.tokenUse(...use), -(4 * CKR_ARGUMENTS_BAD) - 1, 'not a template')
    }
  })

  t.test('leaves no error behind for node:crypto to find', async (t) => {
    t.throws(() => addon.importKey(randomBytes(32)))
    const pair = generateKeyPairSync('ed25519')
    t.equal(verify(null, Buffer.of(1), pair.publicKey, Buffer.alloc(64)), false)
  })

  t.test('signs on the pool while the handle is collected', async (t) => {
    const once = (): Promise<Buffer> => addon.signAsync(addon.importKey(pkcs8(privateKey)), randomBytes(32))
    const signatures = await Promise.all(Array.from({ length: 200 }, once))
    t.equal(new Set(signatures.map((signature) => signature.toString('hex', 0, 32))).size, 200, 'nonces of their own')
  })
}

/** What EVP_* calls in SoftHSM are bound to by the dynamic loader, once it was loaded by `statement`. */
function bindings(statement: string): ReadonlySet<string> {
  const directory = mkdtempSync(join(tmpdir(), 'trefoil-bindings-'))
  try {
    const code = `import { createRequire } from 'node:module'; const require = createRequire(process.cwd() + '/'); ${statement}`
    execFileSync(process.execPath, ['--input-type=module', '-e', code], {
      env: { LD_DEBUG: 'bindings', LD_BIND_NOW: '1', LD_DEBUG_OUTPUT: join(directory, 'ld') },
    })
    const lines = readdirSync(directory).flatMap((name) => readFileSync(join(directory, name), 'latin1').split('\n'))
    const bound = lines.map((line) => /libsofthsm2\.so \[0\] to (\S+) \[0\]:.*`EVP_/.exec(line)?.[1])
    return new Set(bound.filter((target) => target !== undefined))
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

const cannotTell = addonMissing || (softhsm === undefined ? 'no tool: SoftHSM' : false)
t.test('a preloaded library is bound to its own OpenSSL', { skip: cannotTell }, async (t) => {
  const addonFile = JSON.stringify(join(import.meta.dirname, '../../src/native/addon.ts'))
  const library = JSON.stringify(softhsm)
  const load = `new (require('pkcs11js').PKCS11)().load(${library})`
  const preload = `import { loadAddon } from ${addonFile}; loadAddon().addon.preload(${library})`
  t.same([...bindings(load)], [process.execPath], 'loaded the ordinary way it calls what the node executable exports')
  const own = [...bindings(`${preload}; ${load}`)]
  t.equal(own.length, 1)
  t.match(own[0], /libcrypto\.so/)
  t.throws(() => addon?.preload('/no/such/library.so'), /no such file|cannot open/i)
  for (const path of ['', 'x'.repeat(5000)]) t.throws(() => addon?.preload(path), /not a path/)
})
