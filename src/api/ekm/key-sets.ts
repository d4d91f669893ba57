/** The keys of the issuers that exposures trust; a reload keeps what it does not change. */
import { KeySetPool } from '../oidc/key-set-pool.ts'
import type { SurfaceServices } from '../surface.ts'

export const keySetsOf = ({ log }: SurfaceServices): KeySetPool =>
  new KeySetPool({
    monotonic: () => performance.now(),
    failed: (issuer, err) => log.warn({ issuer, err }, 'the keys of the issuer can not be had'),
  })
