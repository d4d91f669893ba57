import t from 'tap'
import { startTrefoil } from '../support/process.ts'
import { runAzureClient } from './azure-tools.ts'

t.test('the life of keys by @azure/keyvault-keys', async (t) => {
  const server = await startTrefoil()
  t.teardown(() => server.stop())
  const { importing, updating, rotating, backingUp, random } = await runAzureClient('azure-keys-client.ts', server)
  t.same(importing, {
    modulus: true,
    tags: { from: 'outside' },
    operations: ['sign', 'verify'],
    verified: true,
    ec: true,
    wrong: '400 BadParameter',
    hsm: '400 BadParameter',
    rotate: '400 BadParameter',
  })
  t.same(updating, {
    expires: true,
    operations: ['sign'],
    tags: { b: '2' },
    enabled: false,
    disabled: '403 Forbidden',
    enabledAgain: 'succeeded',
    unknown: '404 KeyNotFound',
  })
  t.match(rotating, {
    none: [{ action: 'Notify', timeBeforeExpiry: 'P30D' }],
    policy: [{ action: 'Rotate', timeAfterCreate: 'P90D' }],
    expiresIn: 'P2Y',
    clock: 200,
    pages: [2, 1],
    moved: true,
    wrong: '400 BadParameter',
    unknown: '404 KeyNotFound',
  })
  t.ok([730, 731].includes(Number(rotating?.days)), `${rotating?.days} days`)
  t.same(backingUp, {
    taken: '409 Conflict',
    same: true,
    tags: { a: '1' },
    verified: true,
    corrupt: '400 BadParameter',
    unknown: '404 KeyNotFound',
  })
  t.same(random, { bytes: 32, tooMany: '400 BadParameter' })
  t.notMatch(server.log(), /"level":(50|60)/, 'nothing went wrong inside')
})
