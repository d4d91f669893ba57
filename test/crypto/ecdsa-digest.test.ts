/**
 * ECDSA over a ready digest: OpenSSL's curve arithmetic under our rescaling, and the add-on, against @noble/curves doing
 * all of it.
 */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  hash as hashOf,
  type KeyObject,
  randomBytes,
} from 'node:crypto'
import t from 'tap'
import { HASH_BYTES, type Hash, type KeySpec, specRow } from '../../src/core/algorithm.ts'
import { bytesToInteger, type Curve, curveOf, type EcRow } from '../../src/core/curves.ts'
import { verifyDigest } from '../../src/core/ecdsa-verify.ts'
import { signDigest } from '../../src/crypto/ecdsa.ts'
import { NativeSigner } from '../../src/crypto/native.ts'
import { addon } from '../support/addon.ts'

const SPECS = [
  ['ec_p256', 'sha256'],
  ['ec_p384', 'sha384'],
  ['ec_p521', 'sha512'],
  ['ec_secp256k1', 'sha256'],
] as const satisfies readonly (readonly [KeySpec, Hash])[]
const RAW = { prehash: false, lowS: false } as const

function ecRow(spec: KeySpec): EcRow {
  const row = specRow(spec)
  if (row.type !== 'ec') throw new Error(spec)
  return row
}

const ones = (bytes: number): Uint8Array => Buffer.alloc(bytes, 0xff)
const pointOf = (key: KeyObject): Uint8Array => Uint8Array.from(key.export({ format: 'raw-public' }))

/** The digest that `verifyDigest` reduces others to; for it the related key is the key itself. */
const probeDigest = (hash: Hash): Buffer => hashOf(hash, 'trefoil: ecdsa over a digest', 'buffer')

function privateKey(row: EcRow, curve: Curve, scalar: bigint): KeyObject {
  const bytes = Buffer.from(curve.Point.Fn.toBytes(scalar))
  return createPrivateKey({ key: bytes, format: 'raw-private', asymmetricKeyType: 'ec', namedCurve: row.curve })
}

/** Who signs: JavaScript, and the add-on where it is. */
const SIGNERS = addon === undefined ? [undefined] : [undefined, new NativeSigner(addon)]

for (const [spec, hash] of SPECS) {
  const row = ecRow(spec)
  const curve = curveOf(row)
  const { Fn } = curve.Point

  t.test(spec, async (t) => {
    const { privateKey: key, publicKey } = generateKeyPairSync('ec', { namedCurve: row.curve })
    const scalar = Uint8Array.from(key.export({ format: 'raw-private' }))
    const special = [new Uint8Array(HASH_BYTES[hash]), ones(HASH_BYTES[hash]), probeDigest(hash)]
    const digests = [...special, ...Array.from({ length: 8 }, () => randomBytes(HASH_BYTES[hash]))]
    for (const [native, digest] of digests.flatMap((digest) => SIGNERS.map((native) => [native, digest] as const))) {
      const name = `${native === undefined ? 'JavaScript' : 'the add-on'}, ${Buffer.from(digest).toString('hex')}`
      const ours = await signDigest(row, hash, key, digest, native)
      const theirs = curve.sign(digest, scalar, RAW)
      t.equal(curve.verify(ours, digest, pointOf(publicKey), RAW), true, `${name}: noble verifies ours`)
      t.equal(await verifyDigest(row, hash, publicKey, digest, ours), true, `${name}: we verify ours`)
      t.equal(await verifyDigest(row, hash, publicKey, digest, theirs), true, `${name}: we verify noble’s`)
      const other = Uint8Array.from(digest)
      other[3] = (other[3] ?? 0) ^ 0x10
      t.equal(await verifyDigest(row, hash, publicKey, other, ours), false, `${name}: another digest`)
      const highS = Buffer.concat([
        ours.subarray(0, row.coordinate),
        Fn.toBytes(Fn.neg(bytesToInteger(ours.subarray(row.coordinate)))),
      ])
      t.equal(await verifyDigest(row, hash, publicKey, digest, highS), true, `${name}: either s is a signature`)
    }
  })

  t.test(`${spec}: every signature has a nonce of its own`, async (t) => {
    const { privateKey: key } = generateKeyPairSync('ec', { namedCurve: row.curve })
    const digest = randomBytes(HASH_BYTES[hash])
    const made = await Promise.all(Array.from({ length: 16 }, () => signDigest(row, hash, key, digest, undefined)))
    const nonces = new Set(made.map((signature) => Buffer.from(signature.subarray(0, row.coordinate)).toString('hex')))
    t.equal(nonces.size, 16)
  })

  t.test(`${spec}: where the related key does not exist`, async (t) => {
    // Q + tG is the point at infinity for t = −d: the signature's r is chosen, and then the key that fits it.
    const digest = randomBytes(HASH_BYTES[hash])
    const [z, p] = [Fn.create(bytesToInteger(digest)), Fn.create(bytesToInteger(probeDigest(hash)))]
    const nonce = Fn.create(bytesToInteger(randomBytes(row.coordinate)))
    const r = Fn.create(curve.Point.BASE.multiply(nonce).toAffine().x)
    const scalar = Fn.neg(Fn.mul(Fn.sub(z, p), Fn.inv(r)))
    const s = Fn.mul(Fn.add(z, Fn.mul(r, scalar)), Fn.inv(nonce))
    const signature = Buffer.concat([Fn.toBytes(r), Fn.toBytes(s)])
    const publicKey = createPublicKey(privateKey(row, curve, scalar))
    t.equal(curve.verify(signature, digest, pointOf(publicKey), RAW), true, 'a signature it is')
    t.equal(await verifyDigest(row, hash, publicKey, digest, signature), true, 'and verifies')
    const wrong = Buffer.concat([Fn.toBytes(r), Fn.toBytes(Fn.add(s, 1n))])
    t.equal(await verifyDigest(row, hash, publicKey, digest, wrong), false, 'a wrong one does not')
  })

  t.test(`${spec}: r and s out of range`, async (t) => {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: row.curve })
    const digest = randomBytes(HASH_BYTES[hash])
    const order = Buffer.from(Fn.ORDER.toString(16).padStart(2 * row.coordinate, '0'), 'hex')
    const one = Fn.toBytes(1n)
    const zero = new Uint8Array(row.coordinate)
    for (const [r, s] of [
      [zero, one],
      [one, zero],
      [order, one],
      [one, order],
      [ones(row.coordinate), one],
    ] as const) {
      t.equal(await verifyDigest(row, hash, publicKey, digest, Buffer.concat([r, s])), false)
    }
  })
}
