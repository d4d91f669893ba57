/** The real server with keys for Managed HSM: its management on a plain port, the proxy API by mutual TLS. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { Authority } from '../support/pki.ts'
import { type StartOptions, startTrefoil } from '../support/process.ts'
import { ManagedHsm } from './managed-hsm.ts'

export const NAME = (pool: string): string => `${pool}.managedhsmclient.azure.net`
export type Key = { readonly id: string; readonly key: string; readonly version?: number }

export async function startEkm(
  t: Test,
  keys: Readonly<Record<'a' | 'b' | 'bare', readonly Key[]>>,
  more: StartOptions = {},
) {
  const directory = mkdtempSync(join(tmpdir(), 'trefoil-azure-ekm-'))
  const [one, two] = [await Authority.root(directory, 'root one'), await Authority.root(directory, 'root two')]
  const server = await one.issue('server', { use: 'server', names: ['localhost', '127.0.0.1'] })
  const clientCa = join(directory, 'clients.pem')
  writeFileSync(clientCa, one.cert + two.cert)
  const exposures = [
    {
      protocol: 'azure-ekm',
      name: 'pool-a',
      prefix: 'pool-a',
      clients: [{ commonName: NAME('a'), ca: one.certFile }],
      keys: keys.a,
    },
    {
      protocol: 'azure-ekm',
      name: 'pool-b',
      prefix: 'pools/B/2',
      clients: [{ commonName: NAME('b'), ca: two.certFile }],
      keys: keys.b,
    },
    { protocol: 'azure-ekm', name: 'bare', clients: [{ commonName: NAME('bare') }], keys: keys.bare },
  ]
  const listeners = [
    { address: '127.0.0.1', port: 0, dialects: ['aws', 'azure', 'gcp'] },
    {
      address: '127.0.0.1',
      port: 0,
      dialects: ['ekm'],
      tls: { cert: server.certFile, key: server.keyFile, clientCa },
    },
  ]
  const config = { listeners, exposures, log: { format: 'json', level: 'debug' }, ...(more.config as object) }
  const trefoil = await startTrefoil({ ...more, config, env: { TREFOIL_PORT: '', TREFOIL_TLS_PORT: '', ...more.env } })
  t.teardown(async () => {
    await trefoil.stop()
    rmSync(directory, { recursive: true, force: true })
  })
  const url = trefoil.tlsUrl.replace('127.0.0.1', 'localhost')
  const clients: ManagedHsm[] = []
  t.teardown(() => {
    for (const one of clients) one.close()
  })
  const client = (identity: { readonly cert?: string; readonly key?: string }): ManagedHsm => {
    const made = new ManagedHsm(url, one.cert, identity)
    clients.push(made)
    return made
  }
  const a = client(await one.issue('a', { commonName: NAME('a') }))
  const b = client(await two.issue('b', { commonName: NAME('b') }))
  const bare = client(await two.issue('bare', { commonName: NAME('bare') }))
  return { trefoil, config, url, one, two, a, b, bare, client, manage: managerOf(trefoil.plainUrl) }
}

type Json = Record<string, unknown>

/** Key Vault's and KMS' own ways to keys, as far as they are needed here. */
function managerOf(plainUrl: string) {
  const send = async (method: string, path: string, body: unknown, headers: Record<string, string>) => {
    const answer = await fetch(`${plainUrl}${path}`, { method, headers, body: JSON.stringify(body) })
    const json = (await answer.json()) as Json
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(json)}`)
    return json
  }
  const vaultHeaders = { authorization: 'Bearer any', 'content-type': 'application/json' }
  const vault = (method: string, path: string, body?: unknown) =>
    send(method, `${path}?api-version=2025-07-01`, body, vaultHeaders)
  return {
    vault,
    /** The key's id. */
    async aws(operation: string, body: unknown): Promise<Json> {
      const headers = { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': `TrentService.${operation}` }
      return send('POST', '/', body, headers)
    },
    importAes: (name: string, bytes: Uint8Array) =>
      vault('PUT', `/keys/${name}`, {
        key: { kty: 'oct', k: Buffer.from(bytes).toString('base64url'), key_ops: ['wrapKey', 'unwrapKey'] },
      }),
    create: (name: string, kty: string, more: Json = {}) =>
      vault('POST', `/keys/${name}/create`, { kty, key_ops: ['wrapKey', 'unwrapKey'], ...more }),
    update: (name: string, attributes: Json) => vault('PATCH', `/keys/${name}`, { attributes }),
    rotate: (name: string) => vault('POST', `/keys/${name}/rotate`, {}),
    delete: (name: string) => vault('DELETE', `/keys/${name}`),
  }
}
