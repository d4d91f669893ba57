/** What a document's place demands of whoever opens it. */
import type { CseConfig } from '../../../config/exposures/cse.ts'
import type { Claims } from '../../oidc/verifier.ts'
import { Denial } from './errors.ts'

const fits = (value: unknown, allowed: readonly string[]): boolean =>
  (Array.isArray(value) ? value : [value]).some((one) => typeof one === 'string' && allowed.includes(one))

/** @throws Denial */
export function checkPerimeter({ perimeters }: CseConfig, id: string, email: string, claims: Claims): void {
  if (perimeters === undefined) return
  const perimeter = perimeters.find((one) => one.id === id)
  if (perimeter === undefined) throw new Denial('perimeter', 'the perimeter is not served')
  const domain = email.slice(email.lastIndexOf('@') + 1)
  const inside =
    perimeter.domains?.includes(domain) !== false &&
    Object.entries(perimeter.claims ?? {}).every(([name, allowed]) => fits(claims[name], allowed))
  if (!inside) throw new Denial('perimeter', 'the user is outside the perimeter')
}
