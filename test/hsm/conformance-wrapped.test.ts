import t from 'tap'
import { openPkcs11Backend } from '../../src/hsm/pkcs11.ts'
import { backendSuite } from '../conformance/backend.ts'
import { makeSoftHsm, softHsmMissing } from '../support/softhsm.ts'

t.test('SoftHSM, keys wrapped', softHsmMissing === undefined ? {} : { skip: softHsmMissing }, async (t) => {
  const hsm = await makeSoftHsm()
  t.teardown(() => hsm.close())
  const { library, tokenLabel, pin, env } = hsm
  const make = () =>
    openPkcs11Backend({
      name: 'soft',
      library,
      tokenLabel,
      pin,
      env,
      keyStorage: 'wrapped',
      sessions: 4,
      deadlineMs: 20_000,
    })
  backendSuite(t, make)
})
