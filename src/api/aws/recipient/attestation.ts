/**
 * Attestation documents of Nitro Enclaves: COSE_Sign1 (RFC 9052) over a CBOR map, signed with ECDSA P-384 by a key whose
 * certificate leads to the root of the hypervisors. Form and limits are those of AWS's "Validating attestation documents".
 */
import { createPublicKey, type KeyObject, verify, X509Certificate } from 'node:crypto'
import { decode, encode } from 'cborg'
import { validationError } from '../aws-error.ts'

const ES384 = -35
const SIGNATURE_BYTES = 96
const MAX_CERTIFICATE = 1024
const MAX_CHAIN = 8
const PCR_BYTES: readonly number[] = [32, 48, 64]
const MAX_PCRS = 32
const RSA_BITS = { min: 2048, max: 4096 } as const
/** A document is made for one request: an older one was recorded. */
const MAX_AGE_MS = 5 * 60_000

/** What an enclave has proved, and the key that it alone can open with. */
export type Attested = {
  readonly publicKey: KeyObject
  /** Platform configuration registers in lower-case hex, by their number. */
  readonly pcrs: ReadonlyMap<number, string>
}

const refused = (reason: string) => validationError(`The attestation document is not valid: ${reason}.`)

function decodeCbor(bytes: Uint8Array, what: string): unknown {
  try {
    return decode(bytes, { useMaps: true, strict: true, rejectDuplicateMapKeys: true, allowIndefinite: false })
  } catch {
    throw refused(`${what} is not CBOR`)
  }
}

function requireBytes(value: unknown, what: string, max: number): Uint8Array {
  if (!(value instanceof Uint8Array) || value.length === 0 || value.length > max) throw refused(what)
  return value
}

type Signed = { readonly head: Uint8Array; readonly payload: Uint8Array; readonly signature: Uint8Array }

function readEnvelope(document: Uint8Array): Signed {
  const parts = decodeCbor(document, 'it')
  if (!Array.isArray(parts) || parts.length !== 4) throw refused('it is no COSE_Sign1 structure')
  const [head, unprotected, payload, signature] = parts as unknown[]
  const signed = {
    head: requireBytes(head, 'protected header', 64),
    payload: requireBytes(payload, 'payload', document.length),
    signature: requireBytes(signature, 'signature', SIGNATURE_BYTES),
  }
  const algorithm = decodeCbor(signed.head, 'its protected header')
  if (!(algorithm instanceof Map) || algorithm.size !== 1 || algorithm.get(1) !== ES384) throw refused('algorithm')
  if (!(unprotected instanceof Map) || unprotected.size !== 0) throw refused('unprotected header')
  return signed
}

type Payload = {
  readonly time: number
  readonly pcrs: ReadonlyMap<number, string>
  readonly certificate: X509Certificate
  /** The root first. */
  readonly bundle: readonly X509Certificate[]
  readonly publicKey: Uint8Array
}

function readPcrs(value: unknown): ReadonlyMap<number, string> {
  if (!(value instanceof Map) || value.size === 0 || value.size > MAX_PCRS) throw refused('pcrs')
  const pcrs = new Map<number, string>()
  for (const [index, bytes] of value as Map<unknown, unknown>) {
    const known = typeof index === 'number' && Number.isInteger(index) && index >= 0 && index < MAX_PCRS
    if (!known || !(bytes instanceof Uint8Array) || !PCR_BYTES.includes(bytes.length)) throw refused('pcrs')
    pcrs.set(index, Buffer.from(bytes).toString('hex'))
  }
  return pcrs
}

function readCertificate(value: unknown, what: string): X509Certificate {
  const der = requireBytes(value, what, MAX_CERTIFICATE)
  try {
    return new X509Certificate(der)
  } catch {
    throw refused(what)
  }
}

function readPayload(bytes: Uint8Array): Payload {
  const map = decodeCbor(bytes, 'its payload')
  if (!(map instanceof Map)) throw refused('its payload is no map')
  const { module_id: module, digest, timestamp, cabundle } = Object.fromEntries(map) as Record<string, unknown>
  if (typeof module !== 'string' || module === '') throw refused('module_id')
  if (digest !== 'SHA384') throw refused('digest')
  if (typeof timestamp !== 'number' || !Number.isSafeInteger(timestamp) || timestamp <= 0) throw refused('timestamp')
  if (!Array.isArray(cabundle) || cabundle.length === 0 || cabundle.length > MAX_CHAIN) throw refused('cabundle')
  return {
    time: timestamp,
    pcrs: readPcrs(map.get('pcrs')),
    certificate: readCertificate(map.get('certificate'), 'certificate'),
    bundle: cabundle.map((der) => readCertificate(der, 'cabundle')),
    publicKey: requireBytes(map.get('public_key'), 'public_key', MAX_CERTIFICATE),
  }
}

const isValidAt = (certificate: X509Certificate, now: number): boolean =>
  certificate.validFromDate.getTime() <= now && now <= certificate.validToDate.getTime()

/** From the pinned root down, each signs the next; the last is no authority itself. */
function checkChain({ certificate, bundle }: Payload, roots: readonly X509Certificate[], now: number): void {
  const [first] = bundle
  if (first === undefined || !roots.some((root) => root.fingerprint256 === first.fingerprint256)) {
    throw refused('its certificate does not lead to a configured root')
  }
  const chain = [...bundle, certificate]
  chain.forEach((subject, index) => {
    const issuer = index === 0 ? subject : chain[index - 1]
    const isAuthority = subject.ca === index < chain.length - 1
    const signed = issuer !== undefined && subject.checkIssued(issuer) && subject.verify(issuer.publicKey)
    if (!isAuthority || !signed || !isValidAt(subject, now)) throw refused('its certificate chain')
  })
}

function checkSignature({ head, payload, signature }: Signed, certificate: X509Certificate): void {
  const { publicKey } = certificate
  if (publicKey.asymmetricKeyDetails?.namedCurve !== 'secp384r1') throw refused('the key of its certificate')
  const signed = encode(['Signature1', head, new Uint8Array(0), payload])
  const genuine =
    signature.length === SIGNATURE_BYTES &&
    verify('sha384', signed, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature)
  if (!genuine) throw refused('its signature')
}

function readPublicKey(der: Uint8Array): KeyObject {
  let key: KeyObject
  try {
    key = createPublicKey({ key: Buffer.from(der), format: 'der', type: 'spki' })
  } catch {
    throw refused('public_key')
  }
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0
  if (key.asymmetricKeyType !== 'rsa' || bits < RSA_BITS.min || bits > RSA_BITS.max) throw refused('public_key')
  return key
}

/**
 * @param now ms since the epoch
 * @throws AwsError ValidationException, which names the part that is wrong
 */
export function verifyAttestation(document: Uint8Array, roots: readonly X509Certificate[], now: number): Attested {
  const signed = readEnvelope(document)
  const payload = readPayload(signed.payload)
  checkChain(payload, roots, now)
  checkSignature(signed, payload.certificate)
  if (Math.abs(now - payload.time) > MAX_AGE_MS) throw refused('it is not of now')
  return { publicKey: readPublicKey(payload.publicKey), pcrs: payload.pcrs }
}
