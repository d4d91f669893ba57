/** The way to one proxy: only to where the configuration allows, never to addresses that no key manager has. */
import { lookup as resolveName } from 'node:dns'
import { Agent } from 'node:https'
import { BlockList, isIP, isIPv6, type LookupFunction } from 'node:net'

/** An allow-listed endpoint. */
export type ProxyEndpoint = {
  /** `https://` and a host name, as key stores name it. */
  readonly endpoint: string
  /** Where to connect instead of the host name's own address; the certificate is the host name's all the same. */
  readonly address?: { readonly host: string; readonly port: number }
  /** PEM; absent: the public authorities. */
  readonly ca?: string
  /** PEM; the client's own certificate, where the proxy asks for one. */
  readonly client?: { readonly cert: string; readonly key: string }
  /** How long a request may take, ms; absent: what AWS KMS gives. */
  readonly deadlineMs?: number
  /** The private endpoint service that stands for it. */
  readonly service?: string
}

const MAX_SOCKETS = 64
const IDLE_MS = 60_000
/** Specification v1.0.3, section "TLS": a proxy supports at least one of them. */
const CIPHERS = [
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
].join(':')

/** This host, link-local addresses (the clouds' metadata services among them), multicast: nobody's key manager. */
const FORBIDDEN = new BlockList()
for (const [net, bits] of [
  ['0.0.0.0', 8],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['224.0.0.0', 3],
] as const)
  FORBIDDEN.addSubnet(net, bits, 'ipv4')
for (const [net, bits] of [
  ['::', 127],
  ['fe80::', 10],
  ['ff00::', 8],
] as const)
  FORBIDDEN.addSubnet(net, bits, 'ipv6')
FORBIDDEN.addAddress('fd00:ec2::254', 'ipv6')

const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i
/** Whether an address that a name resolved to is one to connect to. */
export function isAllowedAddress(address: string): boolean {
  const plain = MAPPED.exec(address)?.[1] ?? address
  return isIP(plain) !== 0 && !FORBIDDEN.check(plain, isIPv6(plain) ? 'ipv6' : 'ipv4')
}

/** Resolves like the system does, and leaves out what is forbidden. */
const guardedLookup: LookupFunction = (hostname, options, callback) => {
  resolveName(hostname, { ...options, all: true }, (error, found) => {
    if (error !== null) return callback(error, '', 0)
    const allowed = found.filter(({ address }) => isAllowedAddress(address))
    const [first] = allowed
    if (first === undefined) return callback(new Error(`${hostname} resolves to no allowed address`), '', 0)
    return options.all === true ? callback(null, allowed) : callback(null, first.address, first.family)
  })
}

/** An agent that keeps connections: a handshake does not fit into the time that a request has. */
export const agentFor = ({ endpoint, address, ca, client }: ProxyEndpoint): Agent =>
  new Agent({
    keepAlive: true,
    maxSockets: MAX_SOCKETS,
    timeout: IDLE_MS,
    minVersion: 'TLSv1.2',
    ciphers: CIPHERS,
    servername: new URL(endpoint).hostname,
    ...(ca !== undefined && { ca }),
    ...client,
    // Where the configuration names the address, it is the operator's word.
    ...(address === undefined && { lookup: guardedLookup }),
  })
