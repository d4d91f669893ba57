import { KmsError } from './error.ts'
import type { CryptoBackend } from './ports.ts'

/** The backends by name, and which one a new key goes to. */
export class Backends {
  readonly #byName: ReadonlyMap<string, CryptoBackend>
  readonly #defaultName: string
  readonly #ofRings: ReadonlyMap<string, string>

  /**
   * `defaultName`: where keys go whose caller asks for no protection level (AWS has none to ask for). `ofRings`: the
   * backends of rings, by the ring's name, for keys of the protection level that such a backend gives.
   */
  constructor(backends: readonly CryptoBackend[], defaultName: string, ofRings: Readonly<Record<string, string>> = {}) {
    this.#byName = new Map(backends.map((backend) => [backend.name, backend]))
    this.#defaultName = defaultName
    this.#ofRings = new Map(Object.entries(ofRings))
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

  /** The backend for a new key: its ring's if the protection fits, the default one likewise, else the first that fits. */
  forProtection(protection: CryptoBackend['protection'] | undefined, ringName?: string): CryptoBackend | undefined {
    const preferred = this.named(this.#defaultName)
    const wanted = protection ?? preferred.protection
    const ofRing = ringName === undefined ? undefined : this.#ofRings.get(ringName)
    const candidates = [...(ofRing === undefined ? [] : [this.named(ofRing)]), preferred, ...this.all]
    return candidates.find((backend) => backend.protection === wanted)
  }
}
