/** Users, roles and access keys: what the operations keep, and what the directory of a running server knows of it. */
import t from 'tap'
import { createAccessKey, deleteAccessKey, setAccessKeyEnabled } from '../../src/core/ops/access-keys.ts'
import {
  createPrincipal,
  deletePrincipal,
  listPrincipals,
  type PrincipalName,
  updatePrincipal,
} from '../../src/core/ops/principals.ts'
import { Directory, type FixedPrincipals } from '../../src/core/principals/directory.ts'
import { fixedPrincipalId, type StoredPrincipal } from '../../src/core/principals/principal.ts'
import { Secret } from '../../src/core/secret.ts'
import { makeKernel } from '../support/kernel.ts'

const ACCOUNT = '111122223333'
const APP: PrincipalName = { kind: 'user', account: ACCOUNT, name: 'app' }
const TRUST = JSON.stringify({ Statement: { Effect: 'Allow', Principal: '*', Action: 'sts:AssumeRole' } })
const ALLOW = JSON.stringify({ Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }] })

async function make(fixed: FixedPrincipals = { principals: [], accessKeys: [] }) {
  const test = await makeKernel()
  const open = async () => {
    const directory = new Directory({ store: test.store, sealer: test.sealer, clock: test.clock, fixed })
    await directory.start()
    return directory
  }
  const directory = await open()
  const commit = test.store.commit.bind(test.store)
  test.store.commit = async (writes) => {
    await commit(writes)
    directory.committed(writes)
  }
  const socket = { id: 'socket:', method: 'socket' } as const
  const run: typeof test.run = (dialect, operation, input) =>
    test.run(dialect, operation, input, {
      dialect: 'system',
      principal: socket,
      realm: { dialect: 'system', realmId: test.realm.id },
    })
  const secretOf = (id: string) => directory.find(id)?.secret.use((bytes) => Buffer.from(bytes).toString())
  return { ...test, run, directory, open, secretOf }
}

t.test('a key takes over from another', async (t) => {
  const { run, directory, secretOf, open, code } = await make()
  await run('aws', createPrincipal, { ...APP, policies: [ALLOW], tags: { team: 'one' } })
  const first = await run('aws', createAccessKey, APP)
  t.match(first, { id: /^AKIA[A-Z2-7]{16}$/, secret: /^[A-Za-z0-9+/]{40}$/ })
  await directory.settle()
  t.equal(secretOf(first.id), first.secret)
  t.match(directory.find(first.id)?.principal, {
    id: `sigv4:${first.id}`,
    method: 'sigv4',
    aws: {
      account: ACCOUNT,
      arn: `arn:aws:iam::${ACCOUNT}:user/app`,
      userId: /^AIDA[A-Z2-7]{16}$/,
      userName: 'app',
      policies: [JSON.parse(ALLOW)],
      tags: { team: 'one' },
    },
  })
  const second = await run('aws', createAccessKey, APP)
  t.equal(await code(run('aws', createAccessKey, APP)), 'invalid_argument', 'not a third')
  await directory.settle()
  t.ok(secretOf(first.id) && secretOf(second.id), 'both at once')
  await run('aws', setAccessKeyEnabled, { id: first.id, enabled: false })
  t.equal(directory.find(first.id), undefined)
  await run('aws', setAccessKeyEnabled, { id: first.id, enabled: true })
  t.equal(secretOf(first.id), first.secret)
  await run('aws', deleteAccessKey, { id: first.id })
  t.equal(directory.find(first.id), undefined)
  t.equal((await open()).find(first.id), undefined)
  t.equal((await open()).find(second.id)?.principal.aws?.userName, 'app', 'also of a server that starts now')
  await run('aws', updatePrincipal, { ...APP, policies: [], tags: null })
  t.match(directory.find(second.id)?.principal.aws, { policies: [], tags: {} }, 'a change holds at once')
  await run('aws', deletePrincipal, APP)
  t.equal(directory.find(second.id), undefined)
  t.equal((await open()).find(second.id), undefined)
})

t.test('two commands at once make no third key', async (t) => {
  const { run, code } = await make()
  await run('aws', createPrincipal, APP)
  const codes = await Promise.all(Array.from({ length: 5 }, () => code(run('aws', createAccessKey, APP))))
  t.same(codes.sort(), [...Array(3).fill('invalid_argument'), 'ok', 'ok'])
})

t.test('a key that is deleted while it is opened stays away', async (t) => {
  const { run, directory } = await make()
  await run('aws', createPrincipal, APP)
  const { id } = await run('aws', createAccessKey, APP)
  await run('aws', deleteAccessKey, { id })
  await directory.settle()
  t.equal(directory.find(id), undefined)
})

t.test('records name who was given what', async (t) => {
  const { run, audit } = await make()
  await run('aws', createPrincipal, APP)
  const { secret } = await run('aws', createAccessKey, APP)
  t.match(audit.records.slice(-2), [
    { operation: 'CreatePrincipal', method: 'socket', about: `arn:aws:iam::${ACCOUNT}:user/app`, outcome: 'ok' },
    { operation: 'CreateAccessKey', method: 'socket', about: `arn:aws:iam::${ACCOUNT}:user/app`, outcome: 'ok' },
  ])
  t.notOk(JSON.stringify(audit.records).includes(secret))
})

t.test('secrets lie sealed', async (t) => {
  const { run, store } = await make()
  await run('aws', createPrincipal, APP)
  const { id, secret } = await run('aws', createAccessKey, APP)
  const row = await store.get('accessKeys', id)
  t.notOk(Buffer.from(row?.sealedSecret ?? []).includes(secret))
})

t.test('names and facts', async (t) => {
  const { run, code } = await make()
  const attempt = (input: object) => code(run('aws', createPrincipal, { ...APP, ...input }))
  t.equal(await attempt({ account: '1' }), 'invalid_argument')
  t.equal(await attempt({ name: 'a/b' }), 'invalid_argument')
  t.equal(await attempt({ name: '' }), 'invalid_argument')
  t.equal(await attempt({ kind: 'root' }), 'invalid_argument', 'a root has no name')
  t.equal(await attempt({ trust: ALLOW }), 'invalid_argument', 'users are not assumed')
  t.equal(await attempt({ kind: 'role' }), 'invalid_argument', 'a role without a trust policy')
  t.equal(await attempt({ maxSessionSeconds: 3600 }), 'invalid_argument')
  t.equal(await attempt({ kind: 'role', trust: TRUST, maxSessionSeconds: 60 }), 'invalid_argument')
  t.equal(await attempt({ tags: { '': 'x' } }), 'invalid_argument')
  t.equal(await attempt({ policies: [TRUST] }), 'invalid_argument', 'an identity policy names no principal')
  t.equal(await attempt({ policies: ['{'] }), 'invalid_argument')
  t.equal(await attempt({ kind: 'role', trust: ALLOW }), 'invalid_argument', 'a trust policy names some')
  t.equal(await attempt({}), 'ok')
  t.equal(await attempt({ name: 'APP' }), 'invalid_argument', 'names differ in more than case')
  t.equal(await attempt({ kind: 'role', trust: TRUST }), 'ok', 'a role may have a name of a user')
  t.equal(await code(run('aws', createAccessKey, { ...APP, kind: 'role' })), 'invalid_argument')
  t.equal(await code(run('aws', updatePrincipal, { ...APP, kind: 'role', trust: null })), 'invalid_argument')
  t.match(await run('aws', listPrincipals, {}), [{ principal: { kind: 'role' } }, { principal: { kind: 'user' } }])
})

t.test('what the configuration says', async (t) => {
  const id = fixedPrincipalId('user', ACCOUNT, 'fixed')
  const fixed: StoredPrincipal = {
    id,
    kind: 'user',
    account: ACCOUNT,
    name: 'fixed',
    policies: [ALLOW],
    tags: {},
    createdAt: 0,
  }
  const { directory, secretOf } = await make({
    principals: [fixed],
    accessKeys: [{ id: 'AKIAFIXED', principalId: id, secret: new Secret(Buffer.from('s3cret')) }],
  })
  t.equal(secretOf('AKIAFIXED'), 's3cret')
  t.equal(directory.byArn(`arn:aws:iam::${ACCOUNT}:user/fixed`)?.id, id)
  t.ok(directory.isFixed(id))
  t.ok(directory.isNameFixed({ kind: 'user', account: ACCOUNT, name: 'FIXED' }))
  t.notOk(directory.isNameFixed({ kind: 'role', account: ACCOUNT, name: 'fixed' }))
  const stored = { ...fixed, id: 'AIDASTORED', policies: [] }
  directory.committed([{ kind: 'insert', collection: 'principals', row: stored }])
  t.equal(directory.byArn(`arn:aws:iam::${ACCOUNT}:user/fixed`)?.id, id, 'the configuration has the name')
  directory.committed([{ kind: 'delete', collection: 'principals', id: stored.id, revision: 1 }])
  t.equal(directory.byArn(`arn:aws:iam::${ACCOUNT}:user/fixed`)?.id, id)
})

t.test('last uses are kept', async (t) => {
  const { run, directory, open, clock, store } = await make()
  await run('aws', createPrincipal, APP)
  const { id } = await run('aws', createAccessKey, APP)
  const use = { id, at: clock.now(), service: 'kms', region: 'us-east-1' }
  directory.uses.note(use)
  t.same(await directory.uses.of(id), use)
  await directory.stop()
  t.match(await (await open()).uses.of(id), use)
  directory.uses.note({ ...use, at: use.at + 1 })
  await directory.stop()
  t.match(await store.get('accessKeyUses', id), { at: use.at + 1 })
  await run('aws', deletePrincipal, APP)
  t.equal(await store.get('accessKeyUses', id), undefined)
})

t.test('the configuration’s principals are replaced, and what they had hidden is back', async (t) => {
  const fixed = (name: string, keyId: string, secret: string): FixedPrincipals => {
    const id = fixedPrincipalId('user', ACCOUNT, name)
    const principal = { id, kind: 'user', account: ACCOUNT, name, policies: [], tags: {}, createdAt: 0 } as const
    return {
      principals: [principal],
      accessKeys: [{ id: keyId, principalId: id, secret: new Secret(Buffer.from(secret)) }],
    }
  }
  const { run, directory, secretOf, open } = await make()
  await run('aws', createPrincipal, { ...APP, tags: {} })
  const stored = await run('aws', createAccessKey, APP)
  await directory.settle()
  const arn = `arn:aws:iam::${ACCOUNT}:user/app`
  const storedId = directory.byArn(arn)?.id
  await directory.replaceFixed(fixed('app', stored.id, 'of the configuration'))
  t.equal(secretOf(stored.id), 'of the configuration')
  t.equal(directory.byArn(arn)?.id, fixedPrincipalId('user', ACCOUNT, 'app'))
  t.equal(directory.isNameFixed(APP), true)
  await directory.replaceFixed(fixed('other', 'AKIDOTHEROTHEROTHER0', 'another'))
  t.equal(secretOf('AKIDOTHEROTHEROTHER0'), 'another')
  t.equal(secretOf(stored.id), stored.secret, 'the store’s own again')
  t.equal(directory.byArn(arn)?.id, storedId)
  t.equal(directory.isNameFixed(APP), false)
  await directory.replaceFixed(fixed('other', 'AKIDOTHEROTHEROTHER1', 'a third'))
  t.equal(secretOf('AKIDOTHEROTHEROTHER0'), undefined)
  t.equal(secretOf('AKIDOTHEROTHEROTHER1'), 'a third')
  t.equal((await open()).find('AKIDOTHEROTHEROTHER1'), undefined, 'nothing of it is kept')
})
