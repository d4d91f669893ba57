/**
 * An enclave and its hypervisor, written from AWS's description of attestation documents and RFC 9052, with a CBOR writer
 * of their own: nothing here is the server's.
 */
import { execFileSync } from 'node:child_process'
import { createPrivateKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import 'reflect-metadata'

type Cbor = string | number | null | Uint8Array | readonly Cbor[] | ReadonlyMap<string | number, Cbor>

function head(major: number, value: number): Buffer {
  const first = major << 5
  if (value < 24) return Buffer.of(first | value)
  if (value < 0x100) return Buffer.of(first | 24, value)
  if (value < 0x10000) return Buffer.of(first | 25, value >> 8, value & 0xff)
  const bytes = Buffer.alloc(9)
  bytes[0] = first | 27
  bytes.writeBigUInt64BE(BigInt(value), 1)
  return bytes
}

/** RFC 8949, as far as attestation documents go. */
export function cbor(value: Cbor): Buffer {
  if (value === null) return Buffer.of(0xf6)
  if (typeof value === 'number') return value >= 0 ? head(0, value) : head(1, -1 - value)
  if (typeof value === 'string') return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)])
  if (value instanceof Uint8Array) return Buffer.concat([head(2, value.length), value])
  if (value instanceof Map) {
    const pairs = [...(value as ReadonlyMap<string | number, Cbor>)]
    return Buffer.concat([head(5, pairs.length), ...pairs.flatMap(([key, member]) => [cbor(key), cbor(member)])])
  }
  const items = value as readonly Cbor[]
  return Buffer.concat([head(4, items.length), ...items.map(cbor)])
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' }
type Pair = Awaited<ReturnType<typeof newPair>>
const newPair = async () => crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
const privateOf = async ({ privateKey }: Pair): Promise<KeyObject> =>
  createPrivateKey({
    key: Buffer.from(await crypto.subtle.exportKey('pkcs8', privateKey)),
    format: 'der',
    type: 'pkcs8',
  })

export type Chain = {
  /** PEM */
  readonly root: string
  /** DER, root first. */
  readonly bundle: readonly Uint8Array[]
  readonly leaf: Uint8Array
  readonly key: KeyObject
}

/** @param at ms since the epoch: what the certificates are valid around */
export async function makeChain(at: number, { leafIsAuthority = false } = {}): Promise<Chain> {
  const x509 = await import('@peculiar/x509')
  const [notBefore, notAfter] = [new Date(at - 3_600_000), new Date(at + 3_600_000)]
  const constraints = (ca: boolean) => [new x509.BasicConstraintsExtension(ca, undefined, true)]
  const issue = (name: string, keys: Pair, issuer: string, signer: Pair, ca: boolean) =>
    x509.X509CertificateGenerator.create({
      serialNumber: Buffer.from(name).toString('hex').slice(0, 16),
      subject: `CN=${name}`,
      issuer: `CN=${issuer}`,
      notBefore,
      notAfter,
      signingAlgorithm: ALGORITHM,
      publicKey: keys.publicKey,
      signingKey: signer.privateKey,
      extensions: constraints(ca),
    })
  const [root, zone, leaf] = [await newPair(), await newPair(), await newPair()]
  const rootCertificate = await issue('root', root, 'root', root, true)
  const zoneCertificate = await issue('zone', zone, 'root', root, true)
  const leafCertificate = await issue('leaf', leaf, 'zone', zone, leafIsAuthority)
  return {
    root: rootCertificate.toString('pem'),
    bundle: [rootCertificate, zoneCertificate].map(({ rawData }) => new Uint8Array(rawData)),
    leaf: new Uint8Array(leafCertificate.rawData),
    key: await privateOf(leaf),
  }
}

export const PCR0 = Buffer.alloc(48, 0xa5)

export class Enclave {
  readonly chain: Chain
  readonly publicKey: Uint8Array
  readonly #privateKey: KeyObject

  constructor(chain: Chain) {
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    this.chain = chain
    this.publicKey = publicKey.export({ type: 'spki', format: 'der' })
    this.#privateKey = privateKey
  }

  /** `change`: members of the payload that a test has otherwise; undefined leaves one out. */
  document(at: number, change: Readonly<Record<string, Cbor | undefined>> = {}): Buffer {
    const members: Record<string, Cbor | undefined> = {
      module_id: 'i-0123456789abcdef0-enc0123456789abcdef',
      digest: 'SHA384',
      timestamp: at,
      pcrs: new Map<number, Cbor>([
        [0, PCR0],
        [3, Buffer.alloc(48)],
      ]),
      certificate: this.chain.leaf,
      cabundle: this.chain.bundle,
      public_key: this.publicKey,
      user_data: null,
      nonce: null,
      ...change,
    }
    const present = Object.entries(members).filter((pair): pair is [string, Cbor] => pair[1] !== undefined)
    return this.seal(cbor(new Map(present)))
  }

  /** COSE_Sign1 (RFC 9052 section 4.2). */
  seal(payload: Uint8Array, { head: named = cbor(new Map([[1, -35]])), key = this.chain.key } = {}): Buffer {
    const toSign = cbor(['Signature1', named, new Uint8Array(0), payload])
    const signature = sign('sha384', toSign, { key, dsaEncoding: 'ieee-p1363' })
    return cbor([named, new Map(), payload, signature])
  }

  /** What openssl makes of a CMS EnvelopedData. */
  open(enveloped: Uint8Array): Buffer {
    const directory = mkdtempSync(join(tmpdir(), 'trefoil-enclave-'))
    try {
      const [message, key] = [join(directory, 'message.der'), join(directory, 'key.pem')]
      writeFileSync(message, enveloped)
      writeFileSync(key, this.#privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 })
      return execFileSync('openssl', ['cms', '-decrypt', '-binary', '-inform', 'DER', '-in', message, '-inkey', key])
    } finally {
      rmSync(directory, { recursive: true })
    }
  }
}
