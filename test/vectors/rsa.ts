/** RSA: signatures over message, digest and ready encoding, and both encryptions. */
import { createPrivateKey, hash as hashOf } from 'node:crypto'
import { type Algorithm, HASH_BYTES, type Hash, type KeySpec } from '../../src/core/algorithm.ts'
import type { SignInput } from '../../src/core/ports.ts'
import { verify } from '../../src/core/verify.ts'
import {
  algorithmWhere,
  context,
  decrypted,
  equal,
  type Group,
  hashNamed,
  hex,
  type Runner,
  specWhere,
  UNSUPPORTED,
} from './vector.ts'

/** What stands before the digest in a DigestInfo (RFC 8017 section 9.2, note 1). */
const DIGEST_INFO: Readonly<Record<Hash, string>> = {
  sha1: '3021300906052b0e03021a05000414',
  sha224: '302d300d06096086480165030402040500041c',
  sha256: '3031300d060960864801650304020105000420',
  sha384: '3041300d060960864801650304020205000430',
  sha512: '3051300d060960864801650304020305000440',
}

const specOf = (group: Group): KeySpec => specWhere((row) => row.type === 'rsa' && row.bits === group.keySize)

function hashOfGroup(group: Group): Hash {
  const hash = hashNamed(group.sha)
  if (hash === undefined) throw new Error(`no hash ${group.sha}`)
  return hash
}

type Way = { readonly algorithm: Algorithm; readonly input: SignInput }

/** Everything one signature may be of: the message, its digest, and for PKCS#1 v1.5 its DigestInfo signed raw. */
function waysOf(group: Group, scheme: 'rsa-pss' | 'rsa-pkcs1', message: Uint8Array): readonly Way[] {
  const hash = hashOfGroup(group)
  const digest = hashOf(hash, message, 'buffer')
  const algorithm = algorithmWhere(specOf(group), scheme, hash)
  const hashed = algorithm === undefined ? [] : [{ message }, { digest }].map((input) => ({ algorithm, input }))
  const encoded = Buffer.concat([hex(DIGEST_INFO[hash]), digest])
  const raw = { algorithm: 'rsa_pkcs1_raw', input: { message: encoded } } as const
  return scheme === 'rsa-pkcs1' ? [...hashed, raw] : hashed
}

export const rsaVerify =
  (scheme: 'rsa-pss' | 'rsa-pkcs1'): Runner =>
  async (_backend, group, { msg, sig }) => {
    const spki = hex(group.publicKeyDer)
    const ways = waysOf(group, scheme, hex(msg))
    const verdicts = await Promise.all(
      ways.map(({ algorithm, input }) => verify(spki, specOf(group), algorithm, input, hex(sig))),
    )
    if (new Set(verdicts).size !== 1) throw new Error('message, digest and DigestInfo do not agree')
    return verdicts[0] === true
  }

/** The clouds' salt is as long as the hash; a signature with another salt is none, however well made. */
export const pssVerify: Runner = async (backend, group, vector, keys) => {
  const good = await rsaVerify('rsa-pss')(backend, group, vector, keys)
  const salt = HASH_BYTES[hashOfGroup(group)]
  if (group.sLen === salt) return good
  // Of the forgeries of another salt's file, this one is a signature with ours.
  const ours = vector.comment === `s_len changed to ${salt}`
  if (good !== ours) throw new Error('judged a salt of another length wrongly')
  return 'strict'
}

/** PKCS#1 v1.5 signatures are deterministic: ours must be the vector's. */
export const rsaGenerate: Runner = async (backend, group, { msg, sig }, keys) => {
  const ways = waysOf(group, 'rsa-pkcs1', hex(msg)).filter(({ algorithm }) =>
    backend.supports(specOf(group), algorithm),
  )
  if (ways.length === 0) return UNSUPPORTED
  const imported = await keys.get(specOf(group), group.privateKeyPkcs8 ?? '')
  if (imported === undefined) {
    if (exponentOf(group) === 65537n) throw new Error('the key was refused')
    return 'strict'
  }
  const made = await Promise.all(
    ways.map(({ algorithm, input }) => backend.sign(imported.handle, algorithm, input, context())),
  )
  return made.every((signature) => equal(signature, hex(sig)))
}

const exponentOf = (group: Group): bigint | undefined =>
  createPrivateKey({ key: hex(group.privateKeyPkcs8), format: 'der', type: 'pkcs8' }).asymmetricKeyDetails
    ?.publicExponent

export const oaepDecrypt: Runner = async (backend, group, { msg, ct, label }, keys) => {
  const spec = specOf(group)
  const algorithm = algorithmWhere(spec, 'rsa-oaep', hashOfGroup(group))
  if (algorithm === undefined || !backend.supports(spec, algorithm)) return UNSUPPORTED
  const imported = await keys.take(spec, group.privateKeyPkcs8 ?? '')
  const plaintext = await decrypted(backend, imported, algorithm, hex(ct))
  if (group.sha !== group.mgfSha || (label ?? '') !== '') {
    if (plaintext !== undefined) throw new Error('opened what was made with another MGF1 hash or a label')
    return 'strict'
  }
  return plaintext !== undefined && equal(plaintext, hex(msg))
}

/** Padding errors must not show (implicit rejection): other bytes may come out, the same each time, or the one error. */
export const pkcs1Decrypt: Runner = async (backend, group, { msg, ct, result }, keys) => {
  const spec = specOf(group)
  if (!backend.supports(spec, 'rsa_encrypt_pkcs1')) return UNSUPPORTED
  const imported = await keys.take(spec, group.privateKeyPkcs8 ?? '')
  const plaintext = await decrypted(backend, imported, 'rsa_encrypt_pkcs1', hex(ct))
  if (result === 'valid') return plaintext !== undefined && equal(plaintext, hex(msg))
  const again = await decrypted(backend, imported, 'rsa_encrypt_pkcs1', hex(ct))
  if (plaintext === undefined || again === undefined) return plaintext !== again
  return !equal(plaintext, again)
}
