import t from 'tap'
import { openPkcs11Backend } from '../../src/hsm/pkcs11.ts'
import { backendSuite } from '../conformance/backend.ts'
import { backendOn, makeSoftHsm, softHsmMissing } from '../support/softhsm.ts'

t.test('SoftHSM, keys wrapped', softHsmMissing === undefined ? {} : { skip: softHsmMissing }, async (t) => {
  const hsm = await makeSoftHsm()
  t.teardown(() => hsm.close())
  backendSuite(t, () => openPkcs11Backend(backendOn(hsm, { keyStorage: 'wrapped' })))
})
