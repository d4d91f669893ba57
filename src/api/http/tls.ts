/**
 * The local authority of dev: made once in the data directory, it issues the server's certificate, and is handed out at
 * /_/ca.pem. Validity follows the real time, never the settable clock: clients check it by theirs.
 */
import { createPrivateKey, webcrypto, X509Certificate } from 'node:crypto'
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { isIP } from 'node:net'
import { join } from 'node:path'
import type { TlsConfig } from '../../config.ts'
import type { TlsMaterial } from './listener.ts'

const DAY = 24 * 60 * 60 * 1000
const CA_LIFE = 3650 * DAY
/** Apple's clients accept at most 398 days. */
const LEAF_LIFE = 397 * DAY
const RENEW_BEFORE = 30 * DAY
/** For clients whose clock is behind. */
const BACKDATE = DAY
const ECDSA = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const

/** Certificate and private key, both PEM. */
type Pair = { readonly cert: string; readonly key: string }
export type LocalTls = { readonly material: TlsMaterial; readonly caPem: string }

/** The names every client of the dev profile may use. */
export const localNames = (vaultDomain: string, more: readonly string[] = []): readonly string[] => {
  const names = [
    'localhost',
    '*.vault.localhost',
    vaultDomain,
    `*.${vaultDomain}`,
    '*.vault.azure.net',
    '*.managedhsm.azure.net',
  ]
  return [...new Set([...names, '127.0.0.1', '::1', ...more])]
}

function writeFile(path: string, text: string, mode: number): void {
  const temporary = `${path}.new`
  const fd = openSync(temporary, 'w', mode)
  try {
    writeSync(fd, text)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
  renameSync(temporary, path)
}

/** Undefined unless certificate and key are there, belong together and last a while yet. */
function readPair(directory: string, name: string): Pair | undefined {
  try {
    const cert = readFileSync(join(directory, `${name}.pem`), 'utf8')
    const key = readFileSync(join(directory, `${name}.key`), 'utf8')
    const parsed = new X509Certificate(cert)
    const fresh = parsed.validToDate.getTime() - Date.now() > RENEW_BEFORE
    return fresh && parsed.checkPrivateKey(createPrivateKey(key)) ? { cert, key } : undefined
  } catch {
    return undefined
  }
}

/** Key first: a certificate without its key is made anew, a key without certificate is harmless. */
function writePair(directory: string, name: string, pair: Pair): Pair {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  writeFile(join(directory, `${name}.key`), pair.key, 0o600)
  writeFile(join(directory, `${name}.pem`), pair.cert, 0o644)
  return pair
}

/** Loaded only when something is issued: it costs a tenth of a second. */
async function x509() {
  await import('reflect-metadata')
  return import('@peculiar/x509')
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key)).toString('base64')
  return `-----BEGIN PRIVATE KEY-----\n${der.match(/.{1,64}/g)?.join('\n')}\n-----END PRIVATE KEY-----\n`
}

const serialNumber = (): string => `01${Buffer.from(webcrypto.getRandomValues(new Uint8Array(15))).toString('hex')}`

async function issueAuthority(): Promise<Pair> {
  const lib = await x509()
  const keys = await webcrypto.subtle.generateKey(ECDSA, true, ['sign', 'verify'])
  const certificate = await lib.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: `CN=Trefoil local authority ${serialNumber().slice(2, 10)}`,
    notBefore: new Date(Date.now() - BACKDATE),
    notAfter: new Date(Date.now() + CA_LIFE),
    signingAlgorithm: ECDSA,
    keys,
    extensions: [
      new lib.BasicConstraintsExtension(true, 0, true),
      new lib.KeyUsagesExtension(lib.KeyUsageFlags.keyCertSign | lib.KeyUsageFlags.cRLSign, true),
      await lib.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return { cert: `${certificate.toString('pem')}\n`, key: await exportKey(keys.privateKey) }
}

async function issueServer(authority: Pair, names: readonly string[]): Promise<Pair> {
  const lib = await x509()
  const issuer = new lib.X509Certificate(authority.cert)
  const pkcs8 = createPrivateKey(authority.key).export({ type: 'pkcs8', format: 'der' })
  const signingKey = await webcrypto.subtle.importKey('pkcs8', pkcs8, ECDSA, false, ['sign'])
  const keys = await webcrypto.subtle.generateKey(ECDSA, true, ['sign', 'verify'])
  const certificate = await lib.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: 'CN=Trefoil',
    issuer: issuer.subject,
    notBefore: new Date(Date.now() - BACKDATE),
    notAfter: new Date(Math.min(Date.now() + LEAF_LIFE, issuer.notAfter.getTime())),
    signingAlgorithm: ECDSA,
    publicKey: keys.publicKey,
    signingKey,
    extensions: [
      new lib.BasicConstraintsExtension(false, undefined, true),
      new lib.KeyUsagesExtension(lib.KeyUsageFlags.digitalSignature, true),
      new lib.ExtendedKeyUsageExtension([lib.ExtendedKeyUsage.serverAuth]),
      new lib.SubjectAlternativeNameExtension(
        names.map((value) => ({ type: isIP(value) === 0 ? 'dns' : 'ip', value })),
      ),
      await lib.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
      await lib.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return { cert: `${certificate.toString('pem')}\n`, key: await exportKey(keys.privateKey) }
}

const covers = (pair: Pair, names: readonly string[]): boolean => {
  const certificate = new X509Certificate(pair.cert)
  const present = certificate.subjectAltName?.split(', ') ?? []
  // Node writes IPv6 addresses out in full, so they are checked instead of compared.
  return names.every((name) =>
    isIP(name) === 0 ? present.includes(`DNS:${name}`) : certificate.checkIP(name) !== undefined,
  )
}

/** The local authority's certificate for `names`; made, or made anew, where what is on disk does not serve. */
export async function localTls(
  directory: string,
  names: readonly string[],
  minVersion: TlsConfig['minVersion'],
): Promise<LocalTls> {
  const storedAuthority = readPair(directory, 'ca')
  const authority = storedAuthority ?? writePair(directory, 'ca', await issueAuthority())
  const stored = storedAuthority === undefined ? undefined : readPair(directory, 'server')
  const usable =
    stored !== undefined &&
    covers(stored, names) &&
    new X509Certificate(stored.cert).checkIssued(new X509Certificate(authority.cert))
  const server = usable ? stored : writePair(directory, 'server', await issueServer(authority, names))
  return { material: { cert: `${server.cert}${authority.cert}`, key: server.key, minVersion }, caPem: authority.cert }
}
