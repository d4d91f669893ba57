import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto'
import t from 'tap'
import { SoftwareBackend } from '../../src/crypto/software.ts'
import { backendSuite } from '../conformance/backend.ts'

/** A key per ring, as core/ring-keys.ts has them. */
class TestRingKeys {
  readonly #keys = new Map<string, KeyObject>()

  async get(ringId: string): Promise<KeyObject> {
    const key = this.#keys.get(ringId) ?? createSecretKey(randomBytes(32))
    this.#keys.set(ringId, key)
    return key
  }
}

backendSuite(t, async () => new SoftwareBackend(new TestRingKeys()))
