/** The connection itself: certificate, versions, what happens without a client certificate. */
import { connect, type TLSSocket } from 'node:tls'
import { Caller, tlsOptions } from './caller.ts'
import { Mismatch, type Report } from './report.ts'
import type { Identity, Target } from './target.ts'

const TIMEOUT_MS = 5000
const DAY = 86_400_000
const SOON_DAYS = 14

type Seen = { readonly authorized: boolean; readonly error: string; readonly version: string; readonly validTo: number }
type Versions = { readonly minVersion: 'TLSv1.2' | 'TLSv1.3'; readonly maxVersion: 'TLSv1.2' | 'TLSv1.3' }

function look(target: Target, versions: Versions): Promise<Seen> {
  return new Promise((resolve, reject) => {
    const options = {
      ...tlsOptions(target, target.identity),
      ...versions,
      rejectUnauthorized: false,
      timeout: TIMEOUT_MS,
    }
    const socket: TLSSocket = connect(options, () => {
      resolve({
        authorized: socket.authorized,
        error: String(socket.authorizationError ?? ''),
        version: socket.getProtocol() ?? '',
        validTo: Date.parse(socket.getPeerCertificate().valid_to),
      })
      socket.destroy()
    })
    socket.once('timeout', () => socket.destroy(new Mismatch('no answer to the handshake')))
    socket.once('error', reject)
  })
}

const ANY: Versions = { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.3' }
const OLD: Versions = { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' }

/** @returns whether anything more can be asked there */
export async function checkTls(report: Report, target: Target): Promise<boolean> {
  if (target.url.protocol !== 'https:') {
    report.skip('TLS', 'it is plain here: what ends TLS in front is not looked at; give its address with --url')
    return true
  }
  const open = await report.check(
    'TLS handshake',
    'see that the server runs, that --url or --connect lead there, and that no firewall is between',
    async () => {
      const { version } = await look(target, ANY)
      return version
    },
  )
  if (!open) return false
  await report.check(
    `certificate for ${target.url.hostname}`,
    'let tls.cert have the host as an alternative name and all authorities up to the root; give a private root with --ca',
    async () => {
      const { authorized, error } = await look(target, ANY)
      if (!authorized) throw new Mismatch(error)
      return undefined
    },
  )
  await report.check('certificate lasts', 'renew it, and run trefoil reload', async () => {
    const days = Math.floor(((await look(target, ANY)).validTo - Date.now()) / DAY)
    if (days < SOON_DAYS) throw new Mismatch(`${days} days`)
    return `${days} days`
  })
  return true
}

/** Either the handshake ends, or the protocol refuses. */
export async function refusedWithout(
  report: Report,
  target: Target,
  what: string,
  fix: string,
  identity: Identity | undefined,
  ask: (caller: Caller) => Promise<unknown>,
  old = false,
): Promise<void> {
  await report.check(what, fix, async () => {
    const caller = new Caller(target, identity, old ? OLD : {})
    try {
      await ask(caller)
      return 'by the protocol'
    } catch (error) {
      if (error instanceof Mismatch) throw error
      const { code = '' } = error as NodeJS.ErrnoException
      if (/^(ERR_SSL|ECONNRESET|EPROTO|EPIPE)/.test(code)) return 'by TLS'
      throw error
    } finally {
      caller.close()
    }
  })
}
