/** What a declaration changes: said before, done whole or not at all, and nothing the second time. */
import t from 'tap'
import { applyRights, type Declaration, planRights } from '../../src/core/ops/apply.ts'
import { bindRole } from '../../src/core/ops/iam-policies.ts'
import { assignRole, defineRole } from '../../src/core/ops/role-assignments.ts'
import { makeKernel } from '../support/kernel.ts'

const ALICE = 'aaaaaaaa-0000-0000-0000-000000000000'
const BOB = 'bbbbbbbb-0000-0000-0000-000000000000'
const ALLOW = JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: 'kms:*', Resource: '*' }],
})
const DENY = ALLOW.replace('Allow', 'Deny')
const KEY = { id: 'AKIAAAAAAAAAAAAAAAAA', secret: 'one secret of forty characters or so, it is' }
const user = { kind: 'user', account: '000000000000', name: 'app' } as const
const signer = { name: 'Signer', dataActions: ['Microsoft.KeyVault/vaults/keys/sign/action'], notDataActions: [] }
const viewer = { role: 'roles/cloudkms.viewer', members: ['user:ann@example.org', 'group:ops@example.org'] }
const project = { project: 'local' } as const

const FULL: Declaration = {
  principals: [{ ...user, facts: { policies: [ALLOW], tags: { team: 'a' } }, accessKeys: [KEY] }],
  roleDefinitions: [signer],
  roleAssignments: [
    { role: 'Signer', principalId: ALICE, scope: '/vaults/default', deny: false },
    { role: 'Key Vault Reader', principalId: ALICE, scope: '/', deny: true },
  ],
  iamPolicies: [{ resource: project, bindings: [viewer] }],
  prune: false,
}
const NOTHING = {
  principals: undefined,
  roleDefinitions: undefined,
  roleAssignments: undefined,
  iamPolicies: undefined,
}

async function makeApplied() {
  const made = await makeKernel()
  const { run, store } = made
  const apply = (declared: Declaration) => run('aws', applyRights, declared)
  const plan = (declared: Declaration) => run('aws', planRights, declared)
  const kinds = async (changes: ReturnType<typeof plan>) => (await changes).map(({ kind, what }) => `${kind} ${what}`)
  const counts = async () => [
    await store.count('principals', 'all', []),
    await store.count('accessKeys', 'all', []),
    await store.count('roleDefinitions', 'name', []),
    await store.count('roleAssignments', 'holder', []),
    await store.count('iamPolicies', 'all', []),
  ]
  return { ...made, apply, plan, kinds, counts }
}

t.test('a plan is what applying does, once', async (t) => {
  const { apply, plan, kinds, counts, audit } = await makeApplied()
  const expected = [
    'create user arn:aws:iam::000000000000:user/app',
    `create access key ${KEY.id} of arn:aws:iam::000000000000:user/app`,
    'create custom role Signer',
    `create role assignment: Signer to ${ALICE} on /vaults/default`,
    `create role assignment: deny Key Vault Reader to ${ALICE} on /`,
    'create IAM policy of projects/local',
  ]
  t.same(await kinds(plan(FULL)), expected)
  t.same(await counts(), [0, 0, 0, 0, 0], 'a plan changes nothing')
  t.same(await kinds(apply(FULL)), expected)
  t.same(await counts(), [1, 1, 1, 2, 1])
  t.match(audit.records.at(-1), { operation: 'ApplyRights', about: expected.join('; ') })
  t.notMatch(JSON.stringify(audit.records), KEY.secret)
  t.same(await kinds(apply(FULL)), [], 'nothing the second time')
  t.same(await kinds(plan({ ...FULL, prune: true })), [], 'and nothing to prune')
})

t.test('what is different is changed, and shown before and after', async (t) => {
  const { apply, plan, kinds, counts, audit } = await makeApplied()
  await apply(FULL)
  const changed: Declaration = {
    ...FULL,
    principals: [{ ...user, name: 'APP', facts: { policies: [DENY] }, accessKeys: [{ ...KEY, secret: 'another' }] }],
    roleDefinitions: [{ ...signer, notDataActions: ['Microsoft.KeyVault/vaults/keys/read'] }],
    iamPolicies: [{ resource: project, bindings: [{ ...viewer, members: ['user:ann@example.org'] }] }],
  }
  const changes = await plan(changed)
  t.same(
    changes.map(({ kind }) => kind),
    ['update', 'update', 'update', 'update'],
  )
  t.match(changes[0], { before: { tags: { team: 'a' } }, after: { policies: [JSON.parse(DENY)], tags: {} } })
  t.match(changes[1], { before: { secret: 'as it is' }, after: { secret: 'another one' } })
  t.notMatch(JSON.stringify(changes), /another"|one secret/)
  await apply(changed)
  t.same(await kinds(plan(changed)), [])
  t.same(await counts(), [1, 1, 1, 2, 1])
  const turned = {
    ...FULL,
    iamPolicies: [{ resource: project, bindings: [{ ...viewer, members: [...viewer.members].reverse() }] }],
  }
  await apply(FULL)
  t.same(await kinds(plan(turned)), [], 'the order of members means nothing')
  t.equal(audit.records.filter(({ about }) => about !== undefined).length, 3)
})

t.test('what was done by hand is drift: shown, and taken away where it is asked for', async (t) => {
  const { apply, plan, kinds, run, counts } = await makeApplied()
  await apply(FULL)
  await run('aws', assignRole, { role: 'Key Vault Administrator', principalId: BOB, scope: '/', deny: false })
  await run('aws', bindRole, { resource: { project: 'other' }, role: viewer.role, member: 'allUsers' })
  await run('aws', bindRole, { resource: project, role: 'roles/cloudkms.admin', member: 'user:mallory@example.org' })
  const drift = [
    `unlisted role assignment: Key Vault Administrator to ${BOB} on /`,
    'update IAM policy of projects/local',
    'unlisted IAM policy of projects/other',
  ]
  t.same(await kinds(plan(FULL)), drift)
  await apply(FULL)
  t.same(await kinds(plan(FULL)), [drift[0], drift[2]], 'left alone')
  t.same(
    await kinds(apply({ ...FULL, prune: true })),
    [drift[0], drift[2]].map((line) => line?.replace('unlisted', 'delete')),
  )
  t.same(await counts(), [1, 1, 1, 2, 1])
  t.same(await kinds(apply({ ...NOTHING, roleAssignments: [], prune: true })), [
    `delete role assignment: deny Key Vault Reader to ${ALICE} on /`,
    `delete role assignment: Signer to ${ALICE} on /vaults/default`,
  ])
  t.same(await counts(), [1, 1, 1, 0, 1], 'sections that are not there are left alone')
  const none = { principals: [], roleDefinitions: [], roleAssignments: [], iamPolicies: [], prune: true }
  await apply(none)
  t.same(await counts(), [0, 0, 0, 0, 0])
})

t.test('one mistake, and nothing is changed', async (t) => {
  const { apply, run, code, counts } = await makeApplied()
  const bad: readonly (readonly [Partial<Declaration>, string])[] = [
    [{ principals: [{ ...user, name: 'a b', facts: {} }] }, 'principals.0.name'],
    [{ principals: [{ ...user, facts: { policies: ['{}'] } }] }, 'principals.0.policies'],
    [{ principals: [{ ...user, kind: 'role', facts: {} }] }, 'principals.0.trust'],
    [{ principals: [{ ...user, facts: {}, accessKeys: [{ id: 'short', secret: 'x' }] }] }, 'principals.0.accessKeys'],
    [
      {
        principals: [
          { ...user, facts: {} },
          { ...user, name: 'APP', facts: {} },
        ],
      },
      'principals.1',
    ],
    [{ roleDefinitions: [{ ...signer, dataActions: [] }] }, 'roleDefinitions.0.dataActions'],
    [{ roleDefinitions: [signer, { ...signer, name: 'SIGNER' }] }, 'roleDefinitions.1'],
    [{ roleAssignments: [{ role: 'None', principalId: ALICE, scope: '/', deny: false }] }, 'roleAssignments.0.role'],
    [
      { roleAssignments: [{ role: 'Signer', principalId: 'x', scope: '/', deny: false }] },
      'roleAssignments.0.principal',
    ],
    [{ roleAssignments: [{ role: 'Signer', principalId: ALICE, scope: 'v', deny: false }] }, 'roleAssignments.0.scope'],
    [
      { roleDefinitions: [], prune: true, roleAssignments: [FULL.roleAssignments?.[0] ?? never()] },
      'roleAssignments.0.role',
    ],
    [
      { iamPolicies: [{ resource: project, bindings: [{ role: 'roles/owner', members: [] }] }] },
      'iamPolicies.0.policy.bindings',
    ],
    [
      { iamPolicies: [{ resource: { ...project, location: 'global', ring: 'none' }, bindings: [] }] },
      'iamPolicies.0.resource',
    ],
  ]
  for (const [part, field] of bad) {
    await t.rejects(apply({ ...FULL, ...part }), { code: 'invalid_argument', params: { field } }, field)
  }
  t.same(await counts(), [0, 0, 0, 0, 0])
  await run('aws', defineRole, signer)
  await run('aws', assignRole, { role: 'Signer', principalId: BOB, scope: '/', deny: false })
  t.equal(
    await code(apply({ ...NOTHING, roleDefinitions: [], prune: true })),
    'invalid_argument',
    'a role that is held stays',
  )
  const other = { ...FULL, principals: [{ ...user, name: 'other', facts: {}, accessKeys: [KEY] }] }
  await apply(FULL)
  t.equal(await code(apply(other)), 'invalid_argument', 'the access key is somebody else’s')
})

t.test('two at once end as one of them', async (t) => {
  const { apply, plan, kinds } = await makeApplied()
  const other: Declaration = {
    ...FULL,
    principals: [{ ...user, facts: { policies: [DENY] } }],
    roleDefinitions: [signer],
  }
  await Promise.all([apply(FULL), apply(other), apply(FULL)])
  const left = await Promise.all([kinds(plan(FULL)), kinds(plan(other))])
  t.ok(
    left.some((changes) => changes.filter((line) => !line.includes('access key')).length === 0),
    JSON.stringify(left),
  )
})

function never(): never {
  throw new Error('the declaration has assignments')
}
