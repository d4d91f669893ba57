/** Google Workspace's client-side encryption: browsers ask this key service to wrap and unwrap what encrypts documents. */
import type { Exposures } from '../../exposures.ts'
import type { RequestHead, Surface } from '../../surface.ts'
import { keySetsOf } from '../key-sets.ts'
import { PathTable } from '../paths.ts'
import { COVERAGE, CSE_ROUTES } from './coverage.ts'
import { renderError } from './errors.ts'
import { ORIGIN, ROUTE, serveCse } from './serve.ts'
import { tenantOf } from './tenant.ts'

export type CseOptions = {
  readonly exposures: Exposures
  homeRealm(): string
  /** Of this software. */
  readonly version: string
}

const NAMES: ReadonlySet<string> = new Set(CSE_ROUTES.map(({ wire }) => `/${wire}`))

export function createCseSurface({ exposures, homeRealm, version }: CseOptions): Surface {
  const paths = exposures.view('cse', (list) => new PathTable(list))
  /** At the root of a host nothing but the routes is a key service's: other protocols have their paths there. */
  const owns = ({ url }: RequestHead): boolean => {
    const found = paths().find(url)
    return found !== undefined && (found.exposure.path !== '' || NAMES.has(found.rest))
  }
  return {
    dialect: 'ekm',
    coverage: COVERAGE,
    origins: [ORIGIN],
    owns,
    rewrite: (head) => (owns(head) ? ROUTE : undefined),
    register(app, services) {
      const keySets = keySetsOf(services)
      const own = { services, homeRealm, keySets }
      const tenants = exposures.view('cse', (list) =>
        keySets.renew(() => new PathTable(list.map((config) => tenantOf(config, own)))),
      )
      tenants()
      serveCse(app, services, { find: (url) => tenants().find(url), homeRealm, version })
    },
    render: (error) => renderError(error),
  }
}
