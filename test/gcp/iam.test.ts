/** IAM policies of key rings and keys: read, written against their etag, and asked about. */

import { IAMPolicy } from '../../src/api/gcp/gen/google/iam/v1/iam_policy_pb.js'
import { both, kms, RING, symmetric } from './fixture.ts'
import { LOCATION } from './support.ts'

const iam = IAMPolicy.method
const encrypter = 'roles/cloudkms.cryptoKeyEncrypter'
const viewer = 'roles/cloudkms.viewer'
const ANN = 'user:ann@example.org'

both('a policy is what was set, of a key ring and of a key apart', async (t, client) => {
  const { key } = await symmetric(client)
  for (const resource of [RING, key]) {
    const none = await client.get(iam.getIamPolicy, { resource })
    t.match(none, { version: 0, bindings: [] })
    t.equal(Buffer.from(none.etag).toString('base64'), 'ACAB')
    const policy = {
      bindings: [{ role: encrypter, members: [ANN, 'user:ANN@example.org'] }],
      etag: none.etag,
      version: 3,
    }
    const set = await client.get(iam.setIamPolicy, { resource, policy })
    t.match(set, { version: 1, bindings: [{ role: encrypter, members: [ANN] }] })
    t.match(await client.get(iam.getIamPolicy, { resource, options: { requestedPolicyVersion: 3 } }), {
      bindings: [{ role: encrypter, members: [ANN] }],
      etag: Buffer.from(set.etag),
    })
    const outdated = await client.call(iam.setIamPolicy, { resource, policy })
    t.match(outdated, { ok: false, status: 'ABORTED', text: /concurrent policy changes/ })
    const blind = { bindings: [{ role: viewer, members: ['allUsers'] }] }
    t.match(await client.get(iam.setIamPolicy, { resource, policy: blind }), { bindings: [{ role: viewer }] })
    const empty = await client.get(iam.setIamPolicy, { resource, policy: {} })
    t.match(empty, { version: 0, bindings: [] })
    t.not(Buffer.from(empty.etag).toString('base64'), 'ACAB')
  }
})

both('what a policy can not say here is refused, by its field', async (t, client) => {
  const set = (policy: object | undefined, more: object = {}) =>
    client.call(iam.setIamPolicy, { resource: RING, ...(policy && { policy }), ...more })
  const members = [ANN]
  const bad: readonly (readonly [object | undefined, RegExp, object?])[] = [
    [undefined, /policy field is required/],
    [{ version: 2 }, /policy\.version/],
    [{ bindings: [{ role: 'roles/owner', members }] }, /Role roles\/owner is not supported/],
    [{ bindings: [{ role: 'projects/p/roles/mine', members }] }, /is not supported/],
    [{ bindings: [{ role: '', members }] }, /is not supported/],
    [{ bindings: [{ role: viewer, members: ['ann@example.org'] }] }, /type prefix/],
    [{ bindings: [{ role: viewer, members, condition: { expression: 'true' } }] }, /Conditions/],
    [{ auditConfigs: [{ service: 'allServices' }] }, /Audit configurations/],
    [{}, /update/, { updateMask: { paths: ['audit_configs'] } }],
  ]
  for (const [policy, text, more] of bad) {
    t.match(await set(policy, more), { ok: false, status: 'INVALID_ARGUMENT', text })
  }
  t.match(await client.get(iam.getIamPolicy, { resource: RING }), { bindings: [] }, 'nothing was set')
  const options = { requestedPolicyVersion: 2 }
  t.equal(await client.status(iam.getIamPolicy, { resource: RING, options }), 'INVALID_ARGUMENT')
  t.equal(await client.status(iam.getIamPolicy, { resource: `${LOCATION}/keyRings/none` }), 'NOT_FOUND')
  t.equal(await client.status(iam.getIamPolicy, { resource: `${RING}/cryptoKeys/none` }), 'NOT_FOUND')
})

both('anybody may ask what he may do, of what is not there too', async (t, client) => {
  const permissions = ['cloudkms.cryptoKeys.get', 'cloudkms.cryptoKeys.list']
  const ask = (resource: string, asked = permissions) =>
    client.call(iam.testIamPermissions, { resource, permissions: asked })
  t.match(await ask(RING), { ok: true, message: { permissions } }, 'nothing is enforced')
  for (const resource of [`${RING}/cryptoKeys/none`, `${LOCATION}/keyRings/none`]) {
    t.match(await ask(resource), { ok: true, message: { permissions: [] } })
  }
  t.match(await ask(RING, ['cloudkms.*']), { ok: false, status: 'INVALID_ARGUMENT' })
  t.match(
    await ask(
      RING,
      Array.from({ length: 101 }, () => 'cloudkms.a.b'),
    ),
    { ok: false, status: 'INVALID_ARGUMENT' },
  )
  t.match(await ask('projects/local'), { ok: false })
})

both('two at once: one of them is told to read again', async (t, client) => {
  const { etag } = await client.get(iam.getIamPolicy, { resource: RING })
  const set = (role: string) =>
    client.status(iam.setIamPolicy, { resource: RING, policy: { etag, bindings: [{ role, members: [ANN] }] } })
  const answers = await Promise.all([set(encrypter), set(viewer), set('roles/cloudkms.admin')])
  t.same(answers.sort(), ['ABORTED', 'ABORTED', 'OK'])
})

both('a key that is made again under another name has no policy of the old one', async (t, client) => {
  const { key } = await symmetric(client, 'a')
  await client.get(iam.setIamPolicy, { resource: key, policy: { bindings: [{ role: viewer, members: [ANN] }] } })
  const { key: other } = await symmetric(client, 'b')
  t.match(await client.get(iam.getIamPolicy, { resource: other }), { bindings: [] })
  t.equal(await client.status(kms.getCryptoKey, { name: key }), 'OK')
})
