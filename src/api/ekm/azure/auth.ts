/** Who calls: the Managed HSM that its client certificate names, where the exposure knows it. */
import type { AzureEkmClient } from '../../../config/exposures/azure-ekm.ts'
import type { Client } from '../../http/client.ts'
import { EkmFault } from './errors.ts'

/**
 * By common name and by authority, never by the certificate itself: Azure replaces those by its own schedule.
 * @returns the common name
 * @throws EkmFault; the same whether the certificate or the exposure is not there
 */
export function authenticate(client: Client, clients: readonly AzureEkmClient[]): string {
  // Of the connection from a proxy the version says nothing: that one has ended TLS.
  if (client.tlsVersion !== undefined && client.tlsVersion !== 'TLSv1.3') {
    throw new EkmFault('unauthenticated', 'TLS 1.3 is needed.')
  }
  const { commonName, issuers = [] } = client.certificate ?? {}
  const known = clients.find(
    (one) => one.commonName === commonName && issuers.some((issuer) => one.authorities?.has(issuer) !== false),
  )
  if (known === undefined) throw new EkmFault('unauthenticated')
  return known.commonName
}
