/**
 * What proxies in front say of the client. Only those named in the configuration are believed, and only the headers that
 * they are said to set: any other client may send these too.
 */
import { BlockList, isIP, isIPv4 } from 'node:net'
import type { ProxyConfig } from '../../config.ts'
import type { RequestHead } from '../surface.ts'
import { splitHost } from './hosts.ts'

/** A client as a proxy tells of it; what it does not tell is undefined. */
export type Forwarded = { readonly address: string | undefined; readonly secure: boolean | undefined }

type Hop = { readonly address: string | undefined; readonly protocol: string | undefined }
type Headers = RequestHead['headers']

/** Of a chain of proxies. */
const MAX_HOPS = 32

/** IPv4 in IPv6, as sockets that take both report it, is IPv4. */
export const plainAddress = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/i, '')

/** An address with or without a port, an IPv6 address in brackets or not. */
function addressOf(text: string): string | undefined {
  const bare = isIP(text) === 0 ? splitHost(text)?.name.replace(/^\[|\]$/g, '') : text
  return bare === undefined || isIP(bare) === 0 ? undefined : plainAddress(bare)
}

const textOf = (value: string | readonly string[] | undefined): string | undefined =>
  typeof value === 'string' ? value : value?.join(',')

function fromXForwarded(headers: Headers, peer: string): readonly Hop[] {
  const addresses = textOf(headers['x-forwarded-for'])
  const protocol = textOf(headers['x-forwarded-proto'])?.split(',').at(-1)?.trim()
  if (addresses === undefined) return [{ address: peer, protocol }]
  return addresses.split(',').map((text) => ({ address: text.trim(), protocol }))
}

/** RFC 7239 section 4: `for=192.0.2.1;proto=https, for="[2001:db8::1]:4711"`. */
const PAIR = /\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)=("(?:[^"\\]|\\.)*"|[^\s",;=]*)\s*([;,]|$)/y

function fromForwarded(headers: Headers): readonly Hop[] {
  const text = textOf(headers.forwarded)
  if (text === undefined) return []
  const hops: Record<string, string>[] = [{}]
  for (let at = 0; at < text.length; at = PAIR.lastIndex) {
    PAIR.lastIndex = at
    const match = PAIR.exec(text)
    if (match === null) return [{ address: undefined, protocol: undefined }]
    const [, name = '', value = '', end] = match
    const hop = hops.at(-1) ?? {}
    hop[name.toLowerCase()] = value.startsWith('"') ? value.slice(1, -1).replace(/\\(.)/g, '$1') : value
    if (end === ',') hops.push({})
  }
  return hops.map((hop) => ({ address: hop.for, protocol: hop.proto }))
}

const familyOf = (address: string) => (isIPv4(address) ? 'ipv4' : 'ipv6')

/** One list for each family: Node takes every IPv4 address for an IPv6 one as well. */
function rangeLists(ranges: readonly string[]) {
  const lists = { ipv4: new BlockList(), ipv6: new BlockList() }
  for (const range of ranges) {
    const [address = '', prefix] = range.split('/')
    const family = familyOf(address)
    lists[family].addSubnet(address, Number(prefix ?? (family === 'ipv4' ? 32 : 128)), family)
  }
  return lists
}

export class ProxyRules {
  readonly #config: ProxyConfig
  readonly #trusted: ReturnType<typeof rangeLists>

  constructor(config: ProxyConfig) {
    this.#config = config
    this.#trusted = rangeLists(config.trusted)
  }

  trusts(address: string): boolean {
    const family = familyOf(address)
    return this.#trusted[family].check(address, family)
  }

  /** The header that the client's certificate comes in, where one is configured. */
  certificateHeader(headers: Headers): string | undefined {
    const name = this.#config.clientCertificate?.header
    const value = name === undefined ? undefined : headers[name]
    return typeof value === 'string' ? value : undefined
  }

  /**
   * From the nearest proxy outwards as long as each is trusted: whoever an untrusted one speaks of may be made up.
   * @param peer the proxy that the connection is from; the client itself, where it says nothing
   */
  read(headers: Headers, peer: string): Forwarded {
    const hops = this.#config.headers === 'forwarded' ? fromForwarded(headers) : fromXForwarded(headers, peer)
    let told: Forwarded = { address: peer, secure: undefined }
    for (const { address: text, protocol } of hops.slice(-MAX_HOPS).reverse()) {
      const secure = protocol === undefined ? undefined : protocol.toLowerCase() === 'https'
      const address = text === undefined ? undefined : addressOf(text)
      told = { address, secure }
      if (address === undefined || !this.trusts(address)) break
    }
    return told
  }
}
