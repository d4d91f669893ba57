/**
 * Who may talk to a loopback listener in dev. A web page can make its visitor's browser send requests to 127.0.0.1,
 * openly (then Origin names the page) or under its own name by DNS rebinding (then Host does).
 */
import type { RequestHead } from '../surface.ts'

const LOOPBACK_NAME = /^(localhost|([a-z0-9-]{1,63}\.)+localhost|127(\.\d{1,3}){3}|\[::1\])$/
/** Endpoints whose names clients keep when they are pointed here by a proxy or a hosts file; no page can own them. */
const CLOUD_NAMES = [
  /^kms(-fips)?\.[a-z0-9-]+\.(amazonaws\.com(\.cn)?|api\.aws)$/,
  /^cloudkms\.([a-z0-9-]+\.)*googleapis\.com$/,
  /^[a-z0-9-]+\.(vault|managedhsm)\.azure\.net$/,
]
const CACHE_SIZE = 1024

/** Host and port of a Host header; the name in lower case, an IPv6 address in its brackets. */
export function splitHost(value: string): { readonly name: string; readonly port: number | undefined } | undefined {
  const match = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+?)\.?(?::(\d{1,5}))?$/.exec(value)
  if (match?.[1] === undefined) return undefined
  return { name: match[1].toLowerCase(), port: match[2] === undefined ? undefined : Number(match[2]) }
}

export class HostRules {
  readonly #vaultDomain: string
  readonly #publicHost: string | undefined
  /** Clients repeat a handful of names: one look-up per request. */
  readonly #known = new Map<string, boolean>()

  constructor(settings: { readonly vaultDomain: string; readonly publicUrl: string | undefined }) {
    this.#vaultDomain = settings.vaultDomain
    this.#publicHost = settings.publicUrl === undefined ? undefined : new URL(settings.publicUrl).hostname
  }

  allowsHost(host: string): boolean {
    const known = this.#known.get(host)
    if (known !== undefined) return known
    const allowed = this.#judge(host)
    if (this.#known.size >= CACHE_SIZE) this.#known.clear()
    this.#known.set(host, allowed)
    return allowed
  }

  #judge(host: string): boolean {
    const name = splitHost(host)?.name
    if (name === undefined) return false
    if (LOOPBACK_NAME.test(name) || name === this.#publicHost) return true
    if (name === this.#vaultDomain || name.endsWith(`.${this.#vaultDomain}`)) return true
    return CLOUD_NAMES.some((pattern) => pattern.test(name))
  }

  /** `null` is a sandboxed page or a file: not allowed. */
  allowsOrigin(origin: string): boolean {
    if (!URL.canParse(origin)) return false
    return LOOPBACK_NAME.test(new URL(origin).hostname)
  }

  /** Why the request is refused, or undefined. `checkHost`: the listener is on loopback. */
  refusal(headers: RequestHead['headers'], checkHost: boolean): string | undefined {
    const { host, origin } = headers
    if (origin !== undefined && !(typeof origin === 'string' && this.allowsOrigin(origin))) {
      return 'requests of web pages from other origins are refused'
    }
    if (checkHost && !(typeof host === 'string' && this.allowsHost(host))) {
      return 'the Host header names neither this machine, a vault nor a cloud endpoint'
    }
    return undefined
  }
}
