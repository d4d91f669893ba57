/** What a listener's TLS is made of, read together and put in place together. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import { authority, type Config, type ListenerConfig, type TlsConfig } from '../../config.ts'
import { Problem } from '../../core/problem.ts'
import { parseCertificates } from './client-certificate.ts'
import type { TlsMaterial } from './listener.ts'
import { localNames, localTls } from './tls.ts'

export type Certificates = {
  /** Absent on a plain listener. */
  readonly material?: TlsMaterial
  /** When the server's own certificate ends, ms since the epoch. */
  readonly expiresAt?: number
  /** Authorities of clients, and of the clients of a proxy in front. */
  readonly clientCa?: readonly X509Certificate[]
  readonly proxyClientCa?: readonly X509Certificate[]
  /** The local authority. */
  readonly caPem?: string
}

function readText(path: string, setting: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new Problem(`the file ${path} of ${setting} cannot be read`, 'check its name and its permissions', {
      cause: error,
    })
  }
}

/** @throws Problem when a file is missing or certificate and key do not belong together */
function readPair({ cert: certFile, key: keyFile }: { readonly cert: string; readonly key: string }) {
  const cert = readText(certFile, 'tls.cert')
  const key = readText(keyFile, 'tls.key')
  try {
    if (new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) return { cert, key }
  } catch (error) {
    throw new Problem(`${certFile} or ${keyFile} is not PEM`, 'convert both to PEM, the key without a passphrase', {
      cause: error,
    })
  }
  throw new Problem(
    `${keyFile} is not the key of the certificate in ${certFile}`,
    'point tls.cert and tls.key at files that belong together',
  )
}

/** @throws Problem unless the file has authorities, up to one that signed itself */
export function readAuthorities(path: string, setting: string): readonly X509Certificate[] {
  const pem = readText(path, setting)
  let certificates: readonly X509Certificate[]
  try {
    certificates = parseCertificates(pem)
  } catch (error) {
    throw new Problem(`${path} of ${setting} is not PEM`, 'put the certificates of the authorities there', {
      cause: error,
    })
  }
  if (certificates.length > 0 && certificates.every(({ ca }) => ca)) {
    if (certificates.some((one) => one.checkIssued(one))) return certificates
    throw new Problem(`${path} of ${setting} has no root authority`, 'add the one that signed itself')
  }
  throw new Problem(
    `${path} of ${setting} has ${certificates.length === 0 ? 'no certificate' : 'a certificate of no authority'}`,
    'put the certificates of the authorities there, and nothing else',
  )
}

/** @throws Problem for what OpenSSL does not take, such as a key that is too small */
function checkMaterial(material: TlsMaterial, files: string): TlsMaterial {
  try {
    createSecureContext(material)
    return material
  } catch (error) {
    throw new Problem(`${files} is refused by OpenSSL`, 'see its reason in the log', { cause: error })
  }
}

const expiryOf = ({ cert }: TlsMaterial): number => new X509Certificate(String(cert)).validToDate.getTime()

const clientCaOf = ({ clientCa }: TlsConfig) =>
  clientCa === undefined ? undefined : readAuthorities(clientCa, 'tls.clientCa')

const clientsOf = (clientCa: Certificates['clientCa']) =>
  clientCa === undefined ? {} : { ca: clientCa.map(String), requestClientCert: true }

export type FileTls = TlsConfig & { readonly certificate: { readonly cert: string; readonly key: string } }

/** From files of the operator's. @throws Problem */
export function fileCertificates(tls: FileTls) {
  const clientCa = clientCaOf(tls)
  const pair = { ...readPair(tls.certificate), minVersion: tls.minVersion, ...clientsOf(clientCa) }
  const material = checkMaterial(pair, tls.certificate.cert)
  return { material, expiresAt: expiryOf(material), ...(clientCa && { clientCa }) }
}

const isFileTls = (tls: TlsConfig): tls is FileTls => tls.certificate !== 'local'

async function tlsCertificates(tls: TlsConfig, config: Config): Promise<Certificates> {
  if (isFileTls(tls)) return fileCertificates(tls)
  const clientCa = clientCaOf(tls)
  const more = config.publicUrl === undefined ? [] : [new URL(config.publicUrl).hostname.replace(/^\[|\]$/g, '')]
  const directory = `${config.dataDir}/tls`
  const local = await localTls(directory, localNames(config.vaultDomain, more), tls.minVersion)
  const material = { ...local.material, ...clientsOf(clientCa) }
  return { material, expiresAt: expiryOf(material), caPem: local.caPem, ...(clientCa && { clientCa }) }
}

/** @throws Problem where a file is missing, is not what it should be or does not fit the others */
export async function readCertificates({ tls, proxy }: ListenerConfig, config: Config): Promise<Certificates> {
  const ca = proxy?.clientCertificate?.ca
  return {
    ...(tls === undefined ? {} : await tlsCertificates(tls, config)),
    ...(ca !== undefined && { proxyClientCa: readAuthorities(ca, 'clientCertificate.ca') }),
  }
}

/** @throws Problem for a certificate that ended already: what serves now is no worse */
export function refuseExpired({ expiresAt }: Certificates, { address, port }: ListenerConfig, now: number): void {
  if (expiresAt === undefined || expiresAt > now) return
  throw new Problem(
    `the certificate for ${authority(address, port)} expired at ${new Date(expiresAt).toISOString()}`,
    'put a newer one there, and reload again',
  )
}
