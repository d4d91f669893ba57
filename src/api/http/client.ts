/** Who is at the other end of a request: by its connection, or by what a trusted proxy says of it. */
import type { X509Certificate } from 'node:crypto'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { type ClientAuthorities, type ClientCertificate, certificateFromHeader } from './client-certificate.ts'
import { type ProxyRules, plainAddress } from './proxy.ts'
import { type ListenerInfo, listenerOf, type RawRequest } from './request.ts'

export type Client = {
  /** IP address; undefined where the proxy in front does not tell it. */
  readonly address: string | undefined
  /** It speaks TLS, to us or to the proxy. */
  readonly secure: boolean
  /** Of the connection to us: `TLSv1.3`; undefined for a plain one. */
  readonly tlsVersion: string | undefined
  /** Verified; undefined where it showed none, or none that is good. */
  readonly certificate: ClientCertificate | undefined
}

type Peer = Omit<Client, 'certificate'> & { readonly leaf: X509Certificate | undefined }

/** By connection: all its requests come from the same peer. */
const peers = new WeakMap<object, Peer>()

function lookAt(socket: Socket | TLSSocket): Peer {
  const address = socket.remoteAddress === undefined ? undefined : plainAddress(socket.remoteAddress)
  if (!('getPeerX509Certificate' in socket)) return { address, secure: false, tlsVersion: undefined, leaf: undefined }
  return {
    address,
    secure: true,
    tlsVersion: socket.getProtocol() ?? undefined,
    leaf: socket.getPeerX509Certificate(),
  }
}

function peerOf(request: RawRequest): Peer {
  const connection = 'stream' in request ? (request.stream?.session ?? request.socket) : request.socket
  const known = peers.get(connection)
  if (known !== undefined) return known
  const peer = lookAt(request.socket)
  peers.set(connection, peer)
  return peer
}

const verified = (
  authorities: ClientAuthorities | undefined,
  certificate: X509Certificate | undefined,
): ClientCertificate | undefined =>
  certificate === undefined ? undefined : authorities?.verify(certificate, Date.now())

function throughProxy(request: RawRequest, peer: Peer, rules: ProxyRules, { proxyClients }: ListenerInfo): Client {
  const { address, secure } = rules.read(request.headers, peer.address ?? '')
  const header = rules.certificateHeader(request.headers)
  // The certificate of the connection, if any, is the proxy's own.
  const certificate = header === undefined ? undefined : certificateFromHeader(header)
  return {
    address,
    secure: secure ?? peer.secure,
    tlsVersion: peer.tlsVersion,
    certificate: verified(proxyClients, certificate),
  }
}

export function clientOf(request: RawRequest): Client {
  const peer = peerOf(request)
  const listener = listenerOf(request)
  const { proxy } = listener ?? {}
  if (listener !== undefined && proxy !== undefined && peer.address !== undefined && proxy.trusts(peer.address)) {
    return throughProxy(request, peer, proxy, listener)
  }
  const { address, secure, tlsVersion, leaf } = peer
  return { address, secure, tlsVersion, certificate: verified(listener?.clients, leaf) }
}
