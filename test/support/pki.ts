/** Authorities and certificates of their own for a test, as files. */
import { webcrypto } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { join } from 'node:path'
import 'reflect-metadata'
import type { JsonName } from '@peculiar/x509'

const EC = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const HOUR = 3_600_000

export type Issued = {
  readonly certFile: string
  readonly keyFile: string
  readonly cert: string
  readonly key: string
}
type Named = Issued & { readonly name: string; readonly keys: webcrypto.CryptoKeyPair }

export type Leaf = {
  readonly commonName?: string | readonly string[]
  /** Host names, addresses, URIs and mail addresses. */
  readonly names?: readonly string[]
  readonly use?: 'server' | 'client'
  /** Hours from now. */
  readonly from?: number
  readonly until?: number
}

const pemKey = async (keys: webcrypto.CryptoKeyPair): Promise<string> => {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64')
  return `-----BEGIN PRIVATE KEY-----\n${(der.match(/.{1,64}/g) ?? []).join('\n')}\n-----END PRIVATE KEY-----\n`
}

const kindOf = (name: string) =>
  isIP(name) !== 0 ? 'ip' : name.includes('://') ? 'url' : name.includes('@') ? 'email' : ('dns' as const)

let serial = 1
const nextSerial = (): string => (0x1000 + serial++).toString(16)

export class Authority {
  readonly #self: Named
  readonly #directory: string

  private constructor(directory: string, self: Named) {
    this.#directory = directory
    this.#self = self
  }

  get cert(): string {
    return this.#self.cert
  }
  get certFile(): string {
    return this.#self.certFile
  }

  static async root(directory: string, name: string): Promise<Authority> {
    return new Authority(directory, await issueAuthority(directory, name))
  }

  /** Another authority, under this one. */
  async intermediate(name: string): Promise<Authority> {
    return new Authority(this.#directory, await issueAuthority(this.#directory, name, this.#self))
  }

  /** `file`: what its files are called. */
  async issue(file: string, leaf: Leaf = {}): Promise<Issued> {
    const lib = await import('@peculiar/x509')
    const { commonName = file, names = [], use = 'client', from = -1, until = 24 } = leaf
    const keys = await webcrypto.subtle.generateKey(EC, true, ['sign', 'verify'])
    const subject: JsonName = [...(typeof commonName === 'string' ? [commonName] : commonName)].map((CN) => ({
      CN: [CN],
    }))
    const usage = use === 'server' ? lib.ExtendedKeyUsage.serverAuth : lib.ExtendedKeyUsage.clientAuth
    const certificate = await lib.X509CertificateGenerator.create({
      serialNumber: nextSerial(),
      subject,
      issuer: `CN=${this.#self.name}`,
      notBefore: new Date(Date.now() + from * HOUR),
      notAfter: new Date(Date.now() + until * HOUR),
      signingAlgorithm: EC,
      publicKey: keys.publicKey,
      signingKey: this.#self.keys.privateKey,
      extensions: [
        new lib.BasicConstraintsExtension(false, undefined, true),
        new lib.ExtendedKeyUsageExtension([usage]),
        ...(names.length > 0
          ? [new lib.SubjectAlternativeNameExtension(names.map((value) => ({ type: kindOf(value), value })))]
          : []),
      ],
    })
    return save(this.#directory, file, certificate.toString('pem'), await pemKey(keys))
  }
}

function save(directory: string, file: string, cert: string, key: string): Issued {
  const [certFile, keyFile] = [join(directory, `${file}.pem`), join(directory, `${file}.key`)]
  writeFileSync(certFile, `${cert}\n`)
  writeFileSync(keyFile, key, { mode: 0o600 })
  return { certFile, keyFile, cert: `${cert}\n`, key }
}

async function issueAuthority(directory: string, name: string, above?: Named): Promise<Named> {
  const lib = await import('@peculiar/x509')
  const keys = await webcrypto.subtle.generateKey(EC, true, ['sign', 'verify'])
  const certificate = await lib.X509CertificateGenerator.create({
    serialNumber: nextSerial(),
    subject: `CN=${name}`,
    issuer: `CN=${above?.name ?? name}`,
    notBefore: new Date(Date.now() - HOUR),
    notAfter: new Date(Date.now() + 48 * HOUR),
    signingAlgorithm: EC,
    publicKey: keys.publicKey,
    signingKey: (above?.keys ?? keys).privateKey,
    extensions: [
      new lib.BasicConstraintsExtension(true, undefined, true),
      new lib.KeyUsagesExtension(lib.KeyUsageFlags.keyCertSign | lib.KeyUsageFlags.cRLSign, true),
    ],
  })
  return { ...save(directory, name.replaceAll(' ', '-'), certificate.toString('pem'), await pemKey(keys)), name, keys }
}
