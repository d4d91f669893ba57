/** Azure's EKM proxy API 0.1-preview: Managed HSM calls out for the use of keys that stay here. */
import type { Exposures } from '../../exposures.ts'
import type { RequestHead, Surface } from '../../surface.ts'
import { PathTable, pathOf } from '../paths.ts'
import { COVERAGE } from './coverage.ts'
import { renderError } from './errors.ts'
import { placeOf } from './names.ts'
import { type AzureEkmDeps, ROUTE, serveAzureEkm, tenantOf } from './serve.ts'

export type AzureEkmOptions = Omit<AzureEkmDeps, 'tenants'> & { readonly exposures: Exposures }

export function createAzureEkmSurface({ exposures, ...deps }: AzureEkmOptions): Surface {
  const served = exposures.view('azure-ekm', (list) => list.length > 0)
  const paths = exposures.view('azure-ekm', (list) => new PathTable(list))
  /** Any prefix: whether an exposure has it is for those to know that may use it. */
  const owns = ({ url }: RequestHead): boolean => {
    if (!served()) return false
    return placeOf(pathOf(url)) !== undefined || paths().find(url) !== undefined
  }
  return {
    dialect: 'ekm',
    coverage: COVERAGE,
    owns,
    rewrite: (head) => (owns(head) ? ROUTE : undefined),
    register(app, services) {
      const tenants = exposures.view(
        'azure-ekm',
        (list) => new PathTable(list.map((exposure) => tenantOf(exposure, services.clock))),
      )
      tenants()
      serveAzureEkm(app, services, { ...deps, tenants })
    },
    render: (error) => renderError(error),
  }
}
