/** The metrics' own listener: one path, and nothing else that a caller could say. */
import http, { type RequestListener, type Server } from 'node:http'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import { authority, type MetricsConfig } from '../config.ts'
import { Problem } from '../core/problem.ts'
import { type FileTls, fileCertificates } from './http/certificates.ts'

const PATH = '/metrics'
const LIMITS = { headersTimeout: 5000, requestTimeout: 5000, keepAliveTimeout: 75_000, maxHeaderSize: 8192 }
const MAX_CONNECTIONS = 64

/** What is served, and its media type. */
export type MetricsText = { readonly type: string; render(): Promise<string> }
export type MetricsListener = {
  readonly url: string
  /** Reads the certificate's files again; the function returned puts them in place, for new connections. @throws Problem */
  readCertificates(): () => void
  close(): Promise<void>
}

function listenerOf({ type, render }: MetricsText): RequestListener {
  // Whoever looks at the same time sees the same.
  let running: Promise<string> | undefined
  return (request, response) => {
    request.resume()
    const refuse = (status: number, text: string): void => {
      response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(`${text}\n`)
    }
    if (request.url?.split('?', 1)[0] !== PATH) return refuse(404, `only ${PATH} is here`)
    if (request.method !== 'GET' && request.method !== 'HEAD') return refuse(405, 'only GET')
    running ??= render().finally(() => {
      running = undefined
    })
    running.then(
      (text) => response.writeHead(200, { 'content-type': type, 'cache-control': 'no-store' }).end(text),
      () => refuse(500, 'the metrics cannot be read'),
    )
  }
}

const isFileTls = (tls: MetricsConfig['tls']): tls is FileTls => tls !== undefined && tls.certificate !== 'local'

function createServer({ tls }: MetricsConfig, listener: RequestListener): Server {
  if (!isFileTls(tls)) return http.createServer(LIMITS, listener)
  const { requestClientCert = false, ...material } = fileCertificates(tls).material
  return https.createServer(
    { ...LIMITS, ...material, requestCert: requestClientCert, rejectUnauthorized: requestClientCert },
    listener,
  )
}

/** @throws Problem when the port can't be bound or the certificate can't be read */
export async function openMetrics(config: MetricsConfig, text: MetricsText): Promise<MetricsListener> {
  const { address, port, tls } = config
  const server = createServer(config, listenerOf(text))
  server.maxConnections = MAX_CONNECTIONS
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) =>
      reject(
        new Problem(
          `the metrics' listener ${authority(address, port)} cannot be bound (${cause.code ?? 'unknown error'})`,
          'set metrics.address and metrics.port to one that is free and of this machine',
          { cause },
        ),
      ),
    )
    server.listen({ host: address, port }, resolve)
  })
  const bound = server.address() as AddressInfo
  return {
    url: `${tls === undefined ? 'http' : 'https'}://${authority(address, bound.port)}${PATH}`,
    readCertificates() {
      if (!isFileTls(tls)) return () => {}
      const { material } = fileCertificates(tls)
      return () => (server as https.Server).setSecureContext(material)
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
