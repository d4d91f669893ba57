/** Google's Cloud EKM: Cloud KMS calls out for the use of keys that stay here. */
import type { Exposures } from '../../exposures.ts'
import { splitHost } from '../../http/hosts.ts'
import type { RequestHead, Surface } from '../../surface.ts'
import { keySetsOf } from '../key-sets.ts'
import { PathTable, pathOf } from '../paths.ts'
import { COVERAGE } from './coverage.ts'
import { renderError } from './errors.ts'
import { WELL_KNOWN } from './names.ts'
import { Requests } from './requests.ts'
import { ROUTE, serveCloudEkm } from './serve.ts'
import { tenantOf } from './tenant.ts'

export type CloudEkmOptions = {
  readonly exposures: Exposures
  homeRealm(): string
  /** Of this software. */
  readonly version: string
}

/** Facts of the service that are asked for at the root of its host are any of the host's exposures' to tell. */
function find<E extends { readonly path: string }>(table: PathTable<E>, head: RequestHead, hostOf: (one: E) => string) {
  const found = table.find(head.url)
  if (found !== undefined || !WELL_KNOWN.test(pathOf(head.url))) return found
  const { host } = head.headers
  const name = typeof host === 'string' ? splitHost(host)?.name : undefined
  for (const exposure of table.all) if (hostOf(exposure) === name) return { exposure, rest: pathOf(head.url) }
  return undefined
}

export function createCloudEkmSurface({ exposures, homeRealm, version }: CloudEkmOptions): Surface {
  const paths = exposures.view('cloud-ekm', (list) => new PathTable(list))
  const owns = (head: RequestHead): boolean => find(paths(), head, ({ host }) => host) !== undefined
  return {
    dialect: 'ekm',
    coverage: COVERAGE,
    owns,
    rewrite: (head) => (owns(head) ? ROUTE : undefined),
    register(app, services) {
      const keySets = keySetsOf(services)
      const tenants = exposures.view('cloud-ekm', (list) =>
        keySets.renew(() => new PathTable(list.map((exposure) => tenantOf(exposure, services.clock, keySets)))),
      )
      tenants()
      const requests = new Requests({
        kernel: services.kernel,
        find: (head) => find(tenants(), head, ({ exposure }) => exposure.host),
        homeRealm,
        version,
      })
      serveCloudEkm(app, services.log, requests)
    },
    render: (error) => renderError(error),
  }
}
