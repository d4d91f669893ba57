import { KmsError } from './error.ts'
import type { CryptoBackend } from './ports.ts'

/** The backends by name, and which one a new key goes to. */
export class Backends {
  readonly #byName: ReadonlyMap<string, CryptoBackend>
  readonly #defaultName: string

  /** `defaultName`: where keys go whose caller asks for no protection level (AWS has none to ask for). */
  constructor(backends: readonly CryptoBackend[], defaultName: string) {
    this.#byName = new Map(backends.map((backend) => [backend.name, backend]))
    this.#defaultName = defaultName
    this.named(defaultName)
  }

  get all(): readonly CryptoBackend[] {
    return [...this.#byName.values()]
  }

  /** @throws KmsError backend_unavailable when the configuration no longer names it */
  named(name: string): CryptoBackend {
    const backend = this.#byName.get(name)
    if (backend === undefined) throw new KmsError('backend_unavailable', { backend: name })
    return backend
  }

  /** The backend for a new key: the default one if its protection fits, else the first that does. */
  forProtection(protection: CryptoBackend['protection'] | undefined): CryptoBackend | undefined {
    const preferred = this.named(this.#defaultName)
    if (protection === undefined || preferred.protection === protection) return preferred
    return this.all.find((backend) => backend.protection === protection)
  }
}
