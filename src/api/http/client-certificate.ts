/**
 * Who a client certificate says its client is. The connection, or the proxy in front, has proved that the client has the
 * key; here the certificate is led to an authority that is trusted now, so that one that is not any longer stops at the
 * next request, on connections that are open too.
 */
import { createHash, X509Certificate } from 'node:crypto'
import { Lru } from '../../core/lru.ts'

export type ClientCertificate = {
  /** Of the subject; undefined where it has none, or several. */
  readonly commonName: string | undefined
  /** SHA-256 of the certificate, hex in lower case. */
  readonly fingerprint: string
  /** Of the subject's alternative names; DNS names in lower case. */
  readonly names: {
    readonly dns: readonly string[]
    readonly uri: readonly string[]
    readonly email: readonly string[]
  }
  /** SHA-256 of the authorities above it, the nearest first. */
  readonly issuers: readonly string[]
}

const MAX_DEPTH = 8
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2'
const ANY_USAGE = '2.5.29.37.0'
const CACHE_SIZE = 1024

/** As a configuration or another certificate is compared with it. */
export const certificateFingerprint = (certificate: X509Certificate): string =>
  createHash('sha256').update(certificate.raw).digest('hex')

/** `DNS:a, URI:"b, c"`: values with characters that could pass for the list's own are quoted as JSON quotes them. */
const NAME = /([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^",]*)(?:, |$)/y

function alternativeNames(text: string | undefined): ClientCertificate['names'] {
  const names = { dns: [] as string[], uri: [] as string[], email: [] as string[] }
  const kinds: Readonly<Record<string, string[]>> = { DNS: names.dns, URI: names.uri, email: names.email }
  NAME.lastIndex = 0
  for (let at = 0; text !== undefined && at < text.length; at = NAME.lastIndex) {
    const match = NAME.exec(text)
    // What can't be read is no name at all: the rest of it could be anybody's.
    if (match === null) return { dns: [], uri: [], email: [] }
    const [, kind = '', written = ''] = match
    const value = written.startsWith('"') ? (JSON.parse(written) as string) : written
    kinds[kind]?.push(kind === 'DNS' ? value.toLowerCase() : value)
  }
  return names
}

function commonNameOf(certificate: X509Certificate): string | undefined {
  const { subject } = certificate.toLegacyObject() as { readonly subject?: { readonly CN?: unknown } }
  return typeof subject?.CN === 'string' ? subject.CN : undefined
}

const isCurrent = (certificate: X509Certificate, now: number): boolean =>
  certificate.validFromDate.getTime() <= now && now <= certificate.validToDate.getTime()

function issued(issuer: X509Certificate, certificate: X509Certificate): boolean {
  return issuer.ca && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)
}

/** @throws Error for what is no certificate */
export function parseCertificates(pem: string): readonly X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? []
  return blocks.map((block) => new X509Certificate(block))
}

type Known = { readonly facts: ClientCertificate; readonly from: number; readonly until: number }

/** Authorities whose certificates are taken from clients. */
export class ClientAuthorities {
  #anchors: readonly X509Certificate[] = []
  #known = new Lru<Known | 'refused'>(CACHE_SIZE)

  constructor(anchors: readonly X509Certificate[]) {
    this.replace(anchors)
  }

  replace(anchors: readonly X509Certificate[]): void {
    this.#anchors = anchors
    this.#known = new Lru(CACHE_SIZE)
  }

  /** Undefined unless it is good for a client now, and leads to one of the authorities. */
  verify(leaf: X509Certificate, now: number): ClientCertificate | undefined {
    const { fingerprint256 } = leaf
    let known = this.#known.get(fingerprint256)
    if (known === undefined) {
      known = this.#examine(leaf, now) ?? 'refused'
      this.#known.set(fingerprint256, known)
    }
    return known !== 'refused' && known.from <= now && now <= known.until ? known.facts : undefined
  }

  #examine(leaf: X509Certificate, now: number): Known | undefined {
    const usages: readonly string[] | undefined = leaf.keyUsage
    if (usages !== undefined && !usages.includes(CLIENT_AUTH) && !usages.includes(ANY_USAGE)) return undefined
    const chain = this.#chain(leaf, now)
    if (chain.length === 0) return undefined
    const all = [leaf, ...chain]
    return {
      from: Math.max(...all.map(({ validFromDate }) => validFromDate.getTime())),
      until: Math.min(...all.map(({ validToDate }) => validToDate.getTime())),
      facts: {
        commonName: commonNameOf(leaf),
        fingerprint: certificateFingerprint(leaf),
        names: alternativeNames(leaf.subjectAltName),
        issuers: chain.map(certificateFingerprint),
      },
    }
  }

  /** Upwards as far as it goes: above a trusted authority there may be another one that is meant. */
  #chain(leaf: X509Certificate, now: number): readonly X509Certificate[] {
    const chain: X509Certificate[] = []
    let below = leaf
    while (chain.length < MAX_DEPTH) {
      const above = this.#issuerOf(below, now)
      if (above === undefined || chain.some((one) => one.fingerprint256 === above.fingerprint256)) break
      chain.push(above)
      below = above
    }
    return chain
  }

  #issuerOf(certificate: X509Certificate, now: number): X509Certificate | undefined {
    // Those in between have to be known: of what a client sends besides its own certificate Node tells nothing.
    return this.#anchors.find((anchor) => isCurrent(anchor, now) && issued(anchor, certificate))
  }
}

/** The value that RFC 9440 writes, the one that Envoy does, PEM or base64 in percent-encoding. */
function certificateText(value: string): string | undefined {
  const byteSequence = /^:([A-Za-z0-9+/=]+):$/.exec(value)?.[1]
  if (byteSequence !== undefined) return byteSequence
  const quoted = [...value.matchAll(/(?:^|[;,])Cert="([^"]*)"/gi)].at(-1)?.[1]
  try {
    return decodeURIComponent(quoted ?? value)
  } catch {
    return undefined
  }
}

/** The client's certificate as a proxy hands it on; undefined for what is none. */
export function certificateFromHeader(value: string): X509Certificate | undefined {
  const text = certificateText(value)
  if (text === undefined) return undefined
  const base64 = /^[A-Za-z0-9+/=]+$/.test(text)
  try {
    return new X509Certificate(base64 ? Buffer.from(text, 'base64') : text)
  } catch {
    return undefined
  }
}
