/** Google's IAM: what each role gives, where, and that nothing given elsewhere counts. */
import t from 'tap'
import { BINDINGS } from '../../src/api/gcp/bindings/index.ts'
import { gcpEvaluator } from '../../src/core/policy/gcp/evaluator.ts'
import {
  checkBindings,
  type IamBinding,
  sameBindings,
  withMember,
  withoutMember,
} from '../../src/core/policy/gcp/policy.ts'
import { PolicyBook } from '../../src/core/policy/gcp/policy-book.ts'
import { ROLE_NAMES } from '../../src/core/policy/gcp/roles.ts'
import type { AccessRequest, Decision } from '../../src/core/ports.ts'
import { Random, REPEAT } from '../support/random.ts'

const ALICE = 'user:alice@example.com'
const BOB = 'user:bob@example.com'
const ROBOT = 'serviceAccount:robot@p.iam.gserviceaccount.com'
const OUTSIDER = 'principal://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/subject/o'
const [PROJECT, RING, KEY] = ['projects/p', 'ring-r', 'key-k']

type Given = { readonly on: string; readonly role: string; readonly members: readonly string[] }
type Asked = {
  readonly members?: readonly string[]
  readonly project?: string | null
  readonly ring?: string | null
  readonly key?: string | null
}

const noRows = { page: async () => ({ rows: [] }) }

function bookOf(given: readonly Given[]): PolicyBook {
  const book = new PolicyBook(noRows)
  for (const id of new Set(given.map(({ on }) => on))) {
    const bindings = given.filter(({ on }) => on === id).map(({ role, members }) => ({ role, members }))
    book.committed([{ kind: 'insert', collection: 'iamPolicies', row: { id, bindings, etag: '00', updatedAt: 0 } }])
  }
  return book
}

function requestOf(right: string | undefined, asked: Asked = {}): AccessRequest {
  const { members = [ALICE, 'allAuthenticatedUsers', 'allUsers'], project = 'p', ring = RING, key = KEY } = asked
  return {
    principal: { id: 'bearer:x', method: 'bearer', gcp: { members } },
    dialect: 'gcp',
    wire: 'Test',
    action: 'test',
    right,
    realm: project === null ? undefined : { id: 'r', gcp: { project, location: 'global' } },
    ring: ring === null ? undefined : { id: ring },
    key: key === null ? undefined : { id: key },
    secret: undefined,
    source: undefined,
    missing: undefined,
    aws: undefined,
  } as unknown as AccessRequest
}
const ask = (book: PolicyBook, right: string | undefined, asked?: Asked): Decision =>
  gcpEvaluator(book)(requestOf(right, asked)) as Decision
const full = (permission: string): string => `cloudkms.${permission}`

/** Columns: admin, viewer, cryptoOperator, encrypter, decrypter, encrypterDecrypter, signer, verifier, signerVerifier, publicKeyViewer, decapsulator, importer. */
const ROLES = [
  'admin',
  'viewer',
  'cryptoOperator',
  'cryptoKeyEncrypter',
  'cryptoKeyDecrypter',
  'cryptoKeyEncrypterDecrypter',
  'signer',
  'verifier',
  'signerVerifier',
  'publicKeyViewer',
  'decapsulator',
  'importer',
]
const TABLE: readonly (readonly [permission: string, roles: string])[] = [
  ['keyRings.create', 'x-----------'],
  ['keyRings.get', 'xx----------'],
  ['keyRings.list', 'xx----------'],
  ['keyRings.getIamPolicy', 'x-----------'],
  ['keyRings.setIamPolicy', 'x-----------'],
  ['cryptoKeys.create', 'x-----------'],
  ['cryptoKeys.get', 'xx----------'],
  ['cryptoKeys.list', 'xx----------'],
  ['cryptoKeys.update', 'x-----------'],
  ['cryptoKeys.delete', 'x-----------'],
  ['cryptoKeys.getIamPolicy', 'x-----------'],
  ['cryptoKeys.setIamPolicy', 'x-----------'],
  ['cryptoKeyVersions.create', 'x-----------'],
  ['cryptoKeyVersions.get', 'xx----------'],
  ['cryptoKeyVersions.list', 'xx----------'],
  ['cryptoKeyVersions.update', 'x-----------'],
  ['cryptoKeyVersions.destroy', 'x-----------'],
  ['cryptoKeyVersions.restore', 'x-----------'],
  ['cryptoKeyVersions.delete', 'x-----------'],
  ['cryptoKeyVersions.useToEncrypt', '--xx-x------'],
  ['cryptoKeyVersions.useToDecrypt', '--x-xx------'],
  ['cryptoKeyVersions.useToSign', '--x---x-x---'],
  ['cryptoKeyVersions.useToVerify', '--x----xx---'],
  ['cryptoKeyVersions.useToDecapsulate', '--x-------x-'],
  ['cryptoKeyVersions.viewPublicKey', '--x----xxxx-'],
  ['importJobs.create', 'x----------x'],
  ['importJobs.get', 'xx---------x'],
  ['importJobs.list', 'xx---------x'],
  ['importJobs.useToImport', 'x----------x'],
  ['locations.get', 'xxxxxxxxxxxx'],
  ['locations.list', 'xxxxxxxxxxxx'],
  ['locations.generateRandomBytes', '--x---------'],
  ['operations.get', 'xx----------'],
]

t.test('each predefined role gives what Google documents, and no more', async (t) => {
  for (const [index, role] of ROLES.entries()) {
    const book = bookOf([{ on: KEY, role: `roles/cloudkms.${role}`, members: [ALICE] }])
    for (const [permission, columns] of TABLE) {
      t.equal(ask(book, full(permission)).allow, columns[index] === 'x', `${role}: ${permission}`)
    }
  }
})

t.test('every method asks for a permission that some role has', async (t) => {
  const known = new Set(TABLE.map(([permission]) => full(permission)))
  for (const { method, permission } of BINDINGS) {
    if (permission !== undefined) t.ok(known.has(permission), `${method.name}: ${permission}`)
  }
})

const ENCRYPT = full('cryptoKeyVersions.useToEncrypt')
const LIST = full('keyRings.list')
const role = 'roles/cloudkms.cryptoKeyEncrypter'
const viewer = 'roles/cloudkms.viewer'
const CASES: readonly (readonly [Given, string, Asked, boolean])[] = [
  [{ on: PROJECT, role, members: [ALICE] }, ENCRYPT, {}, true],
  [{ on: RING, role, members: [ALICE] }, ENCRYPT, {}, true],
  [{ on: KEY, role, members: [ALICE] }, ENCRYPT, {}, true],
  [{ on: RING, role, members: [ALICE] }, ENCRYPT, { key: 'key-l' }, true],
  [{ on: KEY, role, members: [ALICE] }, ENCRYPT, { key: 'key-l' }, false],
  [{ on: RING, role, members: [ALICE] }, ENCRYPT, { ring: 'ring-s', key: 'key-l' }, false],
  [{ on: PROJECT, role, members: [ALICE] }, ENCRYPT, { project: 'q' }, false],
  [{ on: PROJECT, role, members: [ALICE] }, ENCRYPT, { project: null, ring: null, key: null }, false],
  [{ on: PROJECT, role: viewer, members: [ALICE] }, LIST, { ring: null, key: null }, true],
  [{ on: RING, role: viewer, members: [ALICE] }, LIST, { ring: null, key: null }, false],
  [{ on: KEY, role, members: [BOB] }, ENCRYPT, {}, false],
  [{ on: KEY, role, members: [BOB, ALICE] }, ENCRYPT, {}, true],
  [{ on: KEY, role, members: ['allUsers'] }, ENCRYPT, {}, true],
  [{ on: KEY, role, members: ['allAuthenticatedUsers'] }, ENCRYPT, {}, true],
  [{ on: KEY, role, members: ['allAuthenticatedUsers'] }, ENCRYPT, { members: [OUTSIDER, 'allUsers'] }, false],
  [{ on: KEY, role, members: ['allUsers'] }, ENCRYPT, { members: [OUTSIDER, 'allUsers'] }, true],
  [{ on: KEY, role, members: [OUTSIDER] }, ENCRYPT, { members: [OUTSIDER, 'allUsers'] }, true],
  [{ on: KEY, role, members: [ROBOT] }, ENCRYPT, { members: ['user:robot@p.iam.gserviceaccount.com'] }, false],
  [{ on: KEY, role, members: ['group:g@example.com'] }, ENCRYPT, { members: [ALICE, 'group:g@example.com'] }, true],
  [{ on: KEY, role, members: ['group:g@example.com'] }, ENCRYPT, {}, false],
  [{ on: KEY, role, members: [] }, ENCRYPT, {}, false],
]

t.test('a binding counts on its resource and below', async (t) => {
  for (const [given, right, asked, allowed] of CASES) {
    t.equal(ask(bookOf([given]), right, asked).allow, allowed, JSON.stringify([given, right, asked]))
  }
})

t.test('a caller whom nobody verified has nothing, not even what all users have', async (t) => {
  const book = bookOf([{ on: PROJECT, role, members: ['allUsers'] }])
  const principal = { id: 'anonymous:', method: 'none' } as const
  t.equal((gcpEvaluator(book)({ ...requestOf(ENCRYPT), principal }) as Decision).allow, false)
  t.equal(ask(book, undefined).allow, false)
})

t.test('what is taken away is gone at once', async (t) => {
  const book = bookOf([{ on: KEY, role, members: [ALICE] }])
  t.equal(ask(book, ENCRYPT).allow, true)
  const row = { id: KEY, bindings: [{ role, members: [BOB] }], etag: '01', updatedAt: 0 }
  book.committed([{ kind: 'update', collection: 'iamPolicies', row, revision: 1 }])
  t.equal(ask(book, ENCRYPT).allow, false)
  t.equal(ask(book, ENCRYPT, { members: [BOB] }).allow, true)
  book.committed([{ kind: 'delete', collection: 'iamPolicies', id: KEY, revision: 2 }])
  t.equal(ask(book, ENCRYPT, { members: [BOB] }).allow, false)
})

t.test('policies are read as Google reads them', async (t) => {
  const read = (bindings: readonly IamBinding[]) => checkBindings(bindings)
  t.same(read([{ role, members: ['user:Alice@Example.com', ALICE] }]), [{ role, members: [ALICE] }])
  const twice = [
    { role, members: [ALICE] },
    { role: viewer, members: [] },
    { role, members: [BOB] },
  ]
  t.same(read(twice), [{ role, members: [ALICE, BOB] }])
  const good = [
    'allUsers',
    'domain:example.com',
    'group:g@example.com',
    OUTSIDER,
    'principalSet://iam.googleapis.com/locations/global/workforcePools/pool/group/admins',
    'principalSet://iam.googleapis.com/locations/global/workforcePools/pool/*',
  ]
  t.same(read([{ role, members: good }]), [{ role, members: good }])
  const bad = [
    '',
    'alice',
    'alice@example.com',
    'user:',
    'user:alice',
    'deleted:user:a@b.c',
    'allusers',
    'constructor:a@b.c',
    'user:a b@c.d',
    'principal://example.com/x',
    `user:${'a'.repeat(80)}@b.c`,
  ]
  for (const member of bad) {
    t.throws(() => read([{ role, members: [member] }]), { code: 'invalid_argument' }, JSON.stringify(member))
  }
  t.throws(() => read([{ role: 'roles/owner', members: [ALICE] }]), { code: 'invalid_argument' })
  t.throws(() => read([{ role: '__proto__', members: [ALICE] }]), { code: 'invalid_argument' })
  const many = Array.from({ length: 1501 }, (_, index) => `user:u${index}@example.com`)
  t.throws(() => read([{ role, members: many }]), { code: 'invalid_argument' })
})

t.test('one member more, one less', async (t) => {
  const one = withMember([], role, 'user:ALICE@example.com')
  t.same(one, [{ role, members: [ALICE] }])
  t.ok(sameBindings(withMember(one, role, ALICE), one))
  const two = withMember(one, role, BOB)
  t.same(withoutMember(two, role, 'user:Bob@example.com'), one)
  t.same(withoutMember(one, role, ALICE), [])
  t.equal(withoutMember(one, role, BOB), undefined)
  t.equal(withoutMember(one, viewer, ALICE), undefined)
})

t.test('what is bound elsewhere counts for nothing', async (t) => {
  t.comment(REPEAT)
  const random = new Random()
  const near = [PROJECT, RING, KEY]
  const resources = [...near, 'projects/q', 'ring-s', 'key-l', 'key-kk']
  const encrypting = new Set(
    ['cryptoOperator', 'cryptoKeyEncrypter', 'cryptoKeyEncrypterDecrypter'].map((name) => `roles/cloudkms.${name}`),
  )
  for (let run = 0; run < 2000; run++) {
    const given = Array.from({ length: random.between(0, 6) }, () => ({
      on: random.pick(resources),
      role: random.pick(ROLE_NAMES),
      members: Array.from({ length: random.between(0, 3) }, () => random.pick([BOB, ROBOT, ALICE, OUTSIDER])),
    }))
    const expected = given.some(
      ({ on, role, members }) => near.includes(on) && encrypting.has(role) && members.includes(ALICE),
    )
    if (ask(bookOf(given), ENCRYPT).allow !== expected) {
      t.fail(JSON.stringify(given))
      return
    }
  }
  t.pass()
})
