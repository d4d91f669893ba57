import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto'
import t from 'tap'
import { KEY_SPEC_NAMES, specRow } from '../../src/core/algorithm.ts'
import { SoftwareBackend } from '../../src/crypto/software.ts'
import { backendSuite } from '../conformance/backend.ts'
import { addon, addonMissing } from '../support/addon.ts'

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

t.test('the keys that the add-on uses', { skip: addonMissing }, async (t) => {
  const specs = KEY_SPEC_NAMES.filter((spec) => ['aes', 'ec', 'ml-dsa'].includes(specRow(spec).type))
  backendSuite(t, async () => new SoftwareBackend(new TestRingKeys(), addon), { specs })
})
