/** Azure's role-based access control: what each role gives, where, and that nothing given elsewhere counts. */
import t from 'tap'
import { BINDINGS } from '../../src/api/azure/bindings/index.ts'
import { dataActionOf } from '../../src/api/azure/data-actions.ts'
import { DEFAULT_TENANT, ensureRealm } from '../../src/core/installation.ts'
import { DIALECTS } from '../../src/core/key.ts'
import { assignRole } from '../../src/core/ops/role-assignments.ts'
import { azureEvaluator } from '../../src/core/policy/azure/evaluator.ts'
import { type RoleAssignment, RoleBook } from '../../src/core/policy/azure/role-book.ts'
import { BUILT_IN_ROLES, type RoleDefinition } from '../../src/core/policy/azure/roles.ts'
import { parseScope } from '../../src/core/policy/azure/scope.ts'
import type { AccessRequest, Decision } from '../../src/core/ports.ts'
import { makeKernel } from '../support/kernel.ts'
import { Random, REPEAT } from '../support/random.ts'

const TENANT = '00000000-0000-0000-0000-000000000009'
const OTHER_TENANT = '00000000-0000-0000-0000-000000000002'
const ALICE = 'aaaaaaaa-0000-0000-0000-000000000000'
const BOB = 'bbbbbbbb-0000-0000-0000-000000000000'
const GROUP = 'cccccccc-0000-0000-0000-000000000000'
const KEY_ID = '11111111-1111-4111-8111-111111111111'

type Given = Partial<Omit<RoleAssignment, 'roleId'>> & { readonly role: string }
type Asked = {
  readonly who?: readonly string[]
  readonly tenant?: string
  readonly realmTenant?: string | null
  readonly vault?: string | null
  readonly key?: string
  readonly secret?: string
  readonly missing?: string
}

const noRows = { page: async () => ({ rows: [] }) }
let count = 0

function bookOf(given: readonly Given[], custom: readonly RoleDefinition[] = []): RoleBook {
  const book = new RoleBook(noRows)
  book.committed(custom.map((row) => ({ kind: 'insert', collection: 'roleDefinitions', row })))
  for (const { role, ...rest } of given) {
    const roleId = book.definition(role)?.id ?? role
    const row = {
      id: String(count++),
      tenant: TENANT,
      principalId: ALICE,
      roleId,
      scope: '/vaults/v',
      deny: false,
      createdAt: 0,
      ...rest,
    }
    book.committed([{ kind: 'insert', collection: 'roleAssignments', row }])
  }
  return book
}

function requestOf(right: string, asked: Asked = {}): AccessRequest {
  const { who = [ALICE], tenant = TENANT, realmTenant = TENANT, vault = 'v', key, secret, missing } = asked
  const realm = {
    id: 'r',
    defaultRingId: 'd',
    createdAt: 0,
    ...(realmTenant !== null && { azure: { tenant: realmTenant } }),
  }
  return {
    principal: { id: `bearer:${who[0]}`, method: 'bearer', azure: { tenant, ids: who, caller: `oid=${who[0]}` } },
    dialect: 'azure',
    wire: 'test',
    action: 'test',
    right,
    realm,
    ring: vault === null ? undefined : { id: vault, vaultName: vault },
    key: key === undefined ? undefined : { id: KEY_ID, name: key },
    secret: secret === undefined ? undefined : { id: KEY_ID, name: secret },
    source: undefined,
    missing: missing === undefined ? undefined : { by: 'name', ring: { by: 'default' }, name: missing },
    aws: undefined,
  } as unknown as AccessRequest
}

const ask = (book: RoleBook, right: string, asked?: Asked): Decision =>
  azureEvaluator(book)(requestOf(right, asked)) as Decision
const vaultAction = (action: string): string => `Microsoft.KeyVault/vaults/${action}`
const hsmAction = (action: string): string => `Microsoft.KeyVault/managedHsm/${action}`

/** Columns: Administrator, Reader, Crypto Officer, Crypto User, Service Encryption User, Release User, Secrets Officer, Secrets User. */
const VAULT_ROLES = [
  'Key Vault Administrator',
  'Key Vault Reader',
  'Key Vault Crypto Officer',
  'Key Vault Crypto User',
  'Key Vault Crypto Service Encryption User',
  'Key Vault Crypto Service Release User',
  'Key Vault Secrets Officer',
  'Key Vault Secrets User',
]
const VAULT_TABLE: readonly (readonly [action: string, roles: string])[] = [
  ['keys/read', 'xxxxx---'],
  ['keys/create/action', 'x-x-----'],
  ['keys/import/action', 'x-x-----'],
  ['keys/update/action', 'x-xx----'],
  ['keys/delete', 'x-x-----'],
  ['keys/rotate/action', 'x-x-----'],
  ['keys/backup/action', 'x-xx----'],
  ['keys/restore/action', 'x-x-----'],
  ['keys/recover/action', 'x-x-----'],
  ['keys/purge/action', 'x-x-----'],
  ['keys/encrypt/action', 'x-xx----'],
  ['keys/decrypt/action', 'x-xx----'],
  ['keys/wrap/action', 'x-xxx---'],
  ['keys/unwrap/action', 'x-xxx---'],
  ['keys/sign/action', 'x-xx----'],
  ['keys/verify/action', 'x-xx----'],
  ['keys/release/action', 'x-x--x--'],
  ['keyrotationpolicies/read', 'xxx-----'],
  ['keyrotationpolicies/write', 'x-x-----'],
  ['rng/action', 'x-------'],
  ['secrets/getSecret/action', 'x-----xx'],
  ['secrets/readMetadata/action', 'xx----xx'],
  ['secrets/setSecret/action', 'x-----x-'],
  ['secrets/update/action', 'x-----x-'],
  ['secrets/delete', 'x-----x-'],
  ['secrets/backup/action', 'x-----x-'],
  ['secrets/restore/action', 'x-----x-'],
  ['secrets/recover/action', 'x-----x-'],
  ['secrets/purge/action', 'x-----x-'],
]

/** Columns: Administrator, Crypto Officer, Crypto User, Policy Administrator, Crypto Auditor, Service Encryption User, Release User, Backup User, Restore User. */
const HSM_ROLES = [
  'Managed HSM Administrator',
  'Managed HSM Crypto Officer',
  'Managed HSM Crypto User',
  'Managed HSM Policy Administrator',
  'Managed HSM Crypto Auditor',
  'Managed HSM Crypto Service Encryption User',
  'Managed HSM Crypto Service Release User',
  'Managed HSM Backup User',
  'Managed HSM Restore User',
]
const HSM_TABLE: readonly (readonly [action: string, roles: string])[] = [
  ['keys/read/action', '--x-xx---'],
  ['keys/create', '--x------'],
  ['keys/import/action', '--x------'],
  ['keys/write/action', '--x------'],
  ['keys/delete', '--x------'],
  ['keys/rotate/action', '--x------'],
  ['keys/backup/action', '--x----x-'],
  ['keys/restore/action', '--x-----x'],
  ['keys/release/action', '--x---x--'],
  ['keys/encrypt/action', '--x------'],
  ['keys/decrypt/action', '--x------'],
  ['keys/wrap/action', '--x--x---'],
  ['keys/unwrap/action', '--x--x---'],
  ['keys/sign/action', '--x------'],
  ['keys/verify/action', '--x------'],
  ['keys/deletedKeys/read/action', '-x--x----'],
  ['keys/deletedKeys/recover/action', '-x-------'],
  ['keys/deletedKeys/delete', '-x-------'],
  ['rng/action', '--x------'],
]

const TABLES = [
  { roles: VAULT_ROLES, table: VAULT_TABLE, full: vaultAction },
  { roles: HSM_ROLES, table: HSM_TABLE, full: hsmAction },
]

t.test('each built-in role gives what Azure documents, and no more', async (t) => {
  for (const { roles, table, full } of TABLES) {
    for (const [index, role] of roles.entries()) {
      const book = bookOf([{ role }])
      for (const [action, columns] of table) {
        t.equal(ask(book, full(action)).allow, columns[index] === 'x', `${role}: ${action}`)
      }
    }
  }
  t.equal(BUILT_IN_ROLES.length, VAULT_ROLES.length + HSM_ROLES.length)
  t.equal(new Set(BUILT_IN_ROLES.map(({ id }) => id)).size, BUILT_IN_ROLES.length)
})

t.test('every operation has a data action, and the tables know all of them', async (t) => {
  const known = new Set([
    ...VAULT_TABLE.map(([action]) => vaultAction(action)),
    ...HSM_TABLE.map(([action]) => hsmAction(action)),
  ])
  for (const { wire } of BINDINGS) {
    t.ok(known.has(dataActionOf(wire, false)), `${wire} in a vault`)
    const inHsm = dataActionOf(wire, true)
    // A Managed HSM has no secrets.
    if (!inHsm.includes('/secrets/')) t.ok(known.has(inHsm), `${wire} in a Managed HSM`)
  }
  t.throws(() => dataActionOf('unheardOf', false))
})

const SIGN = vaultAction('keys/sign/action')
const SET = vaultAction('secrets/setSecret/action')
const READ = vaultAction('keys/read')
const OFFICER = 'Key Vault Administrator'
/** [what is assigned, what is asked, whether it is allowed] */
const SCOPES: readonly (readonly [Given, string, Asked, boolean])[] = [
  [{ role: OFFICER, scope: '/' }, SIGN, { key: 'k' }, true],
  [{ role: OFFICER, scope: '/' }, SIGN, { vault: 'w', key: 'k' }, true],
  [{ role: OFFICER, scope: '/' }, READ, { vault: null }, true],
  [{ role: OFFICER, scope: '/' }, SIGN, { key: 'k', realmTenant: null }, false],
  [{ role: OFFICER, scope: '/' }, SIGN, { key: 'k', realmTenant: OTHER_TENANT }, false],
  [{ role: OFFICER, scope: '/vaults/v' }, SIGN, { key: 'k', realmTenant: OTHER_TENANT }, false],
  [{ role: OFFICER, scope: '/vaults/v' }, SIGN, { key: 'k', realmTenant: null }, true],
  [{ role: OFFICER, scope: '/vaults/v' }, SIGN, { vault: 'w', key: 'k' }, false],
  [{ role: OFFICER, scope: '/vaults/v' }, READ, { vault: null }, false],
  [{ role: OFFICER, scope: '/vaults/v' }, SIGN, { key: 'k', tenant: OTHER_TENANT }, false],
  [{ role: OFFICER, scope: '/vaults/v', tenant: OTHER_TENANT }, SIGN, { key: 'k' }, false],
  [{ role: OFFICER, scope: '/vaults/v/keys' }, SIGN, { key: 'k' }, true],
  [{ role: OFFICER, scope: '/vaults/v/keys' }, READ, {}, true],
  [{ role: OFFICER, scope: '/vaults/v/keys' }, SET, {}, false],
  [{ role: OFFICER, scope: '/vaults/v/keys' }, SET, { secret: 's' }, false],
  [{ role: OFFICER, scope: '/vaults/v/secrets' }, SET, { secret: 's' }, true],
  [{ role: OFFICER, scope: '/vaults/v/secrets' }, SIGN, { key: 'k' }, false],
  [{ role: OFFICER, scope: '/vaults/v/secrets/s' }, SET, { secret: 'S' }, true],
  [{ role: OFFICER, scope: '/vaults/v/secrets/s' }, SET, { secret: 't' }, false],
  [{ role: OFFICER, scope: '/vaults/v/secrets/k' }, SIGN, { key: 'k' }, false],
  [{ role: OFFICER, scope: '/vaults/v/keys/k' }, SIGN, { key: 'k' }, true],
  [{ role: OFFICER, scope: '/vaults/v/keys/k' }, SIGN, { key: 'K' }, true],
  [{ role: OFFICER, scope: '/vaults/v/keys/k' }, SIGN, { missing: 'k' }, true],
  [{ role: OFFICER, scope: '/vaults/v/keys/k' }, SIGN, { missing: 'l' }, false],
  [{ role: OFFICER, scope: '/vaults/v/keys/k' }, SIGN, { key: 'l' }, false],
  [{ role: OFFICER, scope: '/vaults/v/keys/k' }, SIGN, { vault: 'w', key: 'k' }, false],
  [{ role: OFFICER, scope: '/vaults/v/keys/k' }, READ, {}, false],
  [{ role: OFFICER, scope: `/vaults/v/keys/${KEY_ID}` }, SIGN, { key: 'k' }, true],
  [{ role: OFFICER, principalId: BOB }, SIGN, { key: 'k' }, false],
  [{ role: OFFICER, principalId: GROUP }, SIGN, { key: 'k', who: [ALICE, GROUP] }, true],
  [{ role: OFFICER, principalId: GROUP }, SIGN, { key: 'k' }, false],
]

t.test('an assignment counts on its scope and below', async (t) => {
  for (const [given, right, asked, allowed] of SCOPES) {
    t.equal(ask(bookOf([given]), right, asked).allow, allowed, JSON.stringify([given, right, asked]))
  }
})

t.test('a denial takes away what anything else gives', async (t) => {
  const given = { role: OFFICER, scope: '/' }
  const denials = ['/', '/vaults/v', '/vaults/v/keys', '/vaults/v/keys/k']
  for (const scope of denials) {
    const book = bookOf([given, { role: 'Key Vault Crypto User', scope, deny: true }])
    t.equal(ask(book, SIGN, { key: 'k' }).allow, false, scope)
    t.equal(ask(book, vaultAction('keys/delete'), { key: 'k' }).allow, true, `${scope}: another action`)
  }
  const elsewhere = bookOf([given, { role: OFFICER, scope: '/vaults/v/keys/l', deny: true }])
  t.equal(ask(elsewhere, SIGN, { key: 'k' }).allow, true)
})

t.test('custom roles take patterns, and leave out what they say', async (t) => {
  const custom = {
    id: 'dddddddd-0000-0000-0000-000000000000',
    name: 'Almost everything',
    dataActions: ['Microsoft.KeyVault/vaults/keys/*/action', 'microsoft.keyvault/VAULTS/keys/read'],
    notDataActions: ['Microsoft.KeyVault/vaults/keys/purge/action'],
  }
  const book = bookOf([{ role: 'almost EVERYTHING' }], [custom])
  t.equal(ask(book, SIGN).allow, true)
  t.equal(ask(book, READ).allow, true)
  t.equal(ask(book, vaultAction('keys/purge/action')).allow, false)
  t.equal(ask(book, vaultAction('keys/delete')).allow, false)
  t.equal(ask(book, SET).allow, false)
  book.committed([{ kind: 'update', collection: 'roleDefinitions', row: { ...custom, dataActions: [] }, revision: 1 }])
  t.equal(ask(book, SIGN).allow, false, 'a change counts at once')
})

t.test('what is taken away is gone at once', async (t) => {
  const book = bookOf([])
  const request = requestOf(SIGN, { key: 'k' })
  const decide = () => (azureEvaluator(book)(request) as Decision).allow
  t.equal(decide(), false)
  const roleId = book.definition(OFFICER)?.id ?? ''
  const row = { id: 'a', tenant: TENANT, principalId: ALICE, roleId, scope: '/', deny: false, createdAt: 0 }
  book.committed([{ kind: 'insert', collection: 'roleAssignments', row }])
  t.equal(decide(), true)
  book.committed([{ kind: 'update', collection: 'roleAssignments', row: { ...row, principalId: BOB }, revision: 1 }])
  t.equal(decide(), false)
  book.committed([{ kind: 'update', collection: 'roleAssignments', row, revision: 2 }])
  t.equal(decide(), true)
  book.committed([{ kind: 'delete', collection: 'roleAssignments', id: 'a', revision: 3 }])
  t.equal(decide(), false)
})

t.test('a caller whom nobody verified has nothing', async (t) => {
  const book = bookOf([{ role: OFFICER, scope: '/', principalId: '' }])
  const { azure: _, ...principal } = requestOf(SIGN).principal
  t.equal((azureEvaluator(book)({ ...requestOf(SIGN), principal }) as Decision).allow, false)
  t.equal((azureEvaluator(book)({ ...requestOf(SIGN), right: undefined }) as Decision).allow, false)
})

t.test('scopes are read as Azure writes them', async (t) => {
  const id = '/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault'
  const readings: readonly (readonly [string, string | undefined])[] = [
    ['/', '/'],
    ['/vaults/V', '/vaults/v'],
    [`${id}/vaults/Payments`, '/vaults/payments'],
    [`${id}/managedHSMs/Hsm/keys`, '/vaults/hsm/keys'],
    ['/vaults/v/keys/K', '/vaults/v/keys/k'],
    ['/vaults/v/secrets/s', '/vaults/v/secrets/s'],
    ['/vaults/v/certificates/c', undefined],
    ['/vaults/v/keys/k/0123', undefined],
    ['/vaults', undefined],
    ['/vaults/', undefined],
    ['/vaults/v/', undefined],
    ['/vaults/v/keys/../secrets', undefined],
    ['/vaults/v\n', undefined],
    ['vaults/v', undefined],
    ['', undefined],
    [id, undefined],
    ['/subscriptions/s', undefined],
    [`/vaults/${'v'.repeat(2000)}`, undefined],
  ]
  for (const [text, scope] of readings) t.equal(parseScope(text), scope, JSON.stringify(text))
})

t.test('what is assigned elsewhere counts for nothing', async (t) => {
  t.comment(REPEAT)
  const random = new Random()
  const asked: Asked = { key: 'k', who: [ALICE, GROUP] }
  const near = new Set(['/', '/vaults/v', '/vaults/v/keys', '/vaults/v/keys/k', `/vaults/v/keys/${KEY_ID}`])
  const scopes = [
    ...near,
    '/vaults/w',
    '/vaults/v/keys/kk',
    '/vaults/v/secrets',
    '/vaults/v/secrets/k',
    '/vaults/w/keys/k',
  ]
  const roles = [...VAULT_ROLES, ...HSM_ROLES]
  const counts = ({ scope = '', tenant, principalId = '', role }: Given): boolean =>
    near.has(scope) &&
    tenant === TENANT &&
    [ALICE, GROUP].includes(principalId) &&
    (role === OFFICER || role === 'Key Vault Crypto Officer' || role === 'Key Vault Crypto User')
  for (let run = 0; run < 2000; run++) {
    const given = Array.from({ length: random.between(0, 6) }, () => ({
      role: random.pick(roles),
      scope: random.pick(scopes),
      tenant: random.pick([TENANT, OTHER_TENANT]),
      principalId: random.pick([ALICE, BOB, GROUP]),
      deny: random.chance(0.15),
    }))
    const expected = given.some((one) => !one.deny && counts(one)) && !given.some((one) => one.deny && counts(one))
    if (ask(bookOf(given), SIGN, asked).allow !== expected) {
      t.fail(JSON.stringify(given))
      return
    }
  }
  t.pass()
})

t.test('a refusal says what was asked, of whom and where', async (t) => {
  const refused = ask(bookOf([]), SIGN, { key: 'k' })
  t.notOk(refused.allow)
  t.match(refused, {
    message:
      /^Caller is not authorized to perform action on resource\.\r\nIf role assignments, .*\r\nCaller: oid=aaaaaaaa-.*\r\nAction: 'Microsoft\.KeyVault\/vaults\/keys\/sign\/action'$/,
  })
})

t.test('the tenant follows the configuration until a role is assigned in it', async (t) => {
  const { store, sealer, run, realm } = await makeKernel({ tenant: TENANT })
  const ensure = async (tenant: string) => {
    const plan = { azure: { tenant }, dialects: DIALECTS, now: 0 }
    return (await ensureRealm(store, sealer, plan)).azure?.tenant
  }
  const third = '00000000-0000-0000-0000-000000000003'
  t.equal(await ensure(OTHER_TENANT), OTHER_TENANT)
  t.equal(await ensure(DEFAULT_TENANT), OTHER_TENANT, 'which the default is not')
  await run('aws', assignRole, { role: OFFICER, principalId: ALICE, scope: '/', deny: false })
  t.equal(await ensure(third), OTHER_TENANT)
  t.equal(realm.azure?.tenant, TENANT, 'the row that was read before is as it was')
})
