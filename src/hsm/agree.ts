/** ECDH and X25519 in the token. */
import graphene from 'graphene-pk11'
import type { ECDH1 } from 'pkcs11js'
import { type KeySpec, specRow } from '../core/algorithm.ts'
import { invalidArgument, KmsError } from '../core/error.ts'
import { CKA, CKD_NULL, CKK, CKM, CKO, PARAMS } from './mechanisms.ts'
import { destroyQuietly, type Handle } from './objects.ts'
import type { Session } from './token.ts'

const X25519_BYTES = 32

/** Bytes of a shared secret, which is the x-coordinate. */
function secretBytes(spec: KeySpec): number {
  const row = specRow(spec)
  if (row.type === 'ec') return row.coordinate
  if (row.type === 'x25519') return X25519_BYTES
  throw new KmsError('internal')
}

/** The secret is the caller's, so the derived object may be read; it lives for one call. */
const secretTemplate = (bytes: number) =>
  graphene.Template.toPkcs11({
    class: CKO.SECRET_KEY,
    keyType: CKK.GENERIC_SECRET,
    token: false,
    private: true,
    sensitive: false,
    extractable: true,
    valueLen: bytes,
  })

export function agree(session: Session, key: Handle, spec: KeySpec, point: Uint8Array): Uint8Array {
  const { lib, handle } = session
  const parameter: ECDH1 = { type: PARAMS.ECDH1, kdf: CKD_NULL, publicData: Buffer.from(point) }
  const template = secretTemplate(secretBytes(spec))
  const derived = lib.C_DeriveKey(handle, { mechanism: CKM.ECDH1_DERIVE, parameter }, key, template)
  try {
    const secret = new graphene.SessionObject(derived, session, lib).getAttribute(CKA.VALUE)
    // RFC 7748 section 6.1: a point of low order.
    if (spec === 'x25519' && secret.every((byte) => byte === 0)) {
      throw invalidArgument('publicKey', 'no secret can be agreed on with this public key')
    }
    return secret
  } finally {
    destroyQuietly(session, derived)
  }
}
