import t from 'tap'
import { Backends } from '../../src/core/backends.ts'
import type { CryptoBackend } from '../../src/core/ports.ts'

const fake = (name: string, protection: CryptoBackend['protection']) => ({ name, protection }) as CryptoBackend

t.test('which backend makes a new key', async (t) => {
  const all = [fake('software', 'software'), fake('pkcs11:a', 'hsm'), fake('pkcs11:b', 'hsm'), fake('pkcs11:c', 'hsm')]
  const plain = new Backends(all, 'software', { payments: 'pkcs11:c' })
  const chosen = (backends: Backends, protection?: CryptoBackend['protection'], ring?: string) =>
    backends.forProtection(protection, ring)?.name
  t.equal(chosen(plain), 'software', 'the default one')
  t.equal(chosen(plain, undefined, 'payments'), 'software', 'in a ring with an HSM too, where none is asked for')
  t.equal(chosen(plain, 'software', 'payments'), 'software')
  t.equal(chosen(plain, 'hsm', 'payments'), 'pkcs11:c', "the ring's HSM")
  t.equal(chosen(plain, 'hsm', 'another'), 'pkcs11:a', 'the first HSM elsewhere')
  t.equal(chosen(plain, 'hsm'), 'pkcs11:a')
  const hardware = new Backends(all, 'pkcs11:b', { payments: 'pkcs11:c' })
  t.equal(chosen(hardware, 'hsm', 'another'), 'pkcs11:b', 'the default one where it fits')
  t.equal(chosen(hardware, undefined, 'payments'), 'pkcs11:c', "the ring's HSM where HSM is the default")
  t.equal(chosen(hardware, 'software', 'payments'), 'software')
  t.equal(chosen(new Backends([fake('software', 'software')], 'software'), 'hsm', 'payments'), undefined, 'no HSM')
})
