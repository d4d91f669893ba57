/** The surface at its boundary: what is recorded, what may be changed while it serves, and what fails how. */
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { KeyManager } from '../../src/api/xks/health.ts'
import { KmsError } from '../../src/core/error.ts'
import { MAX_MESSAGES, WORN_MESSAGES } from '../../src/core/message-counter.ts'
import type { CryptoBackend } from '../../src/core/ports.ts'
import {
  b64,
  decryptBody,
  encryptBody,
  KEY_ARN,
  newCredential,
  PRINCIPAL,
  requestMetadata,
} from '../support/xks-kms.ts'
import { credential, exposure, makeXks } from './support.ts'

const TEXT = b64('a data key')
const describe = () => ({ requestMetadata: requestMetadata('DescribeKey') })
const health = () => ({ requestMetadata: { kmsOperation: 'KmsHealthCheck', kmsRequestId: 'h' } })

t.test('every request that was understood is recorded, with what AWS KMS says of it', async (t) => {
  const xks = await makeXks({
    exposure: { rules: [{ name: 'not-bob', effect: 'deny', principals: ['*:user/Bob'] }] },
  })
  t.teardown(xks.close)
  const facts = { kmsRequestId: 'the id', kmsViaService: 'ebs', awsSourceVpc: 'vpc-1', awsSourceVpce: 'vpce-1' }
  const before = xks.audit.records.length
  t.equal(
    (await xks.ask('keys/k/encrypt', encryptBody(TEXT, { requestMetadata: requestMetadata('Encrypt', facts) }))).status,
    200,
  )
  t.equal((await xks.ask('keys/none/metadata', describe())).status, 404)
  const bob = { requestMetadata: requestMetadata('Decrypt', { awsPrincipalArn: 'arn:aws:iam::1:user/Bob' }) }
  const denied = await xks.ask('keys/k/metadata', bob)
  t.match([denied.status, denied.json], [403, { errorName: 'AccessDeniedException', errorMessage: /not-bob/ }])
  const [used, missing, refused, ...rest] = xks.audit.records.slice(before)
  t.same(rest, [])
  t.match(used, {
    dialect: 'xks',
    wire: 'Encrypt',
    operation: 'EncryptDetached',
    action: 'encrypt',
    principal: `sigv4:tenant/${credential.accessKeyId}`,
    method: 'sigv4',
    clientRequestId: 'the id',
    exposure: 'tenant',
    exposedKey: 'k',
    behalfPrincipal: PRINCIPAL,
    behalfOperation: 'Encrypt',
    behalfKey: KEY_ARN,
    behalfService: 'ebs',
    behalfNetwork: 'vpc-1',
    behalfEndpoint: 'vpce-1',
    key: xks.raw.key.id,
    version: 1,
    algorithm: 'aes_gcm',
    decision: 'allow',
    outcome: 'ok',
  })
  t.match(missing, { exposedKey: 'none', decision: 'deny', outcome: 'key_not_found', key: undefined, rule: undefined })
  t.match(refused, { exposedKey: 'k', decision: 'deny', outcome: 'access_denied', rule: 'not-bob' })
  t.notMatch(JSON.stringify(xks.audit.records), TEXT)
})

t.test('without an audit log nothing is answered', async (t) => {
  const xks = await makeXks()
  t.teardown(xks.close)
  xks.audit.available = false
  for (const [route, body] of [
    ['keys/k/encrypt', encryptBody(TEXT)],
    ['keys/none/metadata', describe()],
  ] as const) {
    const { status, json } = await xks.ask(route, body)
    t.match([status, json], [500, { errorName: 'InternalException' }], route)
  }
})

t.test('credentials are replaced while it serves, one after the other', async (t) => {
  const xks = await makeXks()
  t.teardown(xks.close)
  const next = newCredential()
  const entry = ({ accessKeyId, secret }: typeof next) => ({ accessKeyId, secret: { env: secret } })
  const status = async (one: typeof next) => (await xks.ask('keys/k/metadata', describe(), { credential: one })).status
  t.same([await status(credential), await status(next)], [200, 401])
  xks.replace(exposure({ credentials: [entry(credential), entry(next)] }))
  t.same([await status(credential), await status(next)], [200, 200])
  xks.replace(exposure({ credentials: [entry(next)] }))
  t.same([await status(credential), await status(next)], [401, 200])
  const changed = { ...next, secret: randomBytes(32).toString('base64') }
  xks.replace(exposure({ credentials: [entry(changed)] }))
  t.same([await status(next), await status(changed)], [401, 200], 'another secret of the same name')
  xks.replace()
  t.equal(await status(changed), 404, 'the prefix is gone')
})

t.test('Regions, where they are named', async (t) => {
  const xks = await makeXks({ exposure: { regions: ['eu-west-1'] } })
  t.teardown(xks.close)
  t.equal((await xks.ask('health', health(), { region: 'eu-west-1' })).status, 200)
  t.equal((await xks.ask('health', health(), { region: 'us-east-1' })).status, 401)
})

t.test('a quota is of those who are let in', async (t) => {
  const xks = await makeXks({ exposure: { quota: { requestsPerSecond: 2 } } })
  t.teardown(xks.close)
  t.equal((await xks.ask('health', health(), { credential: newCredential() })).status, 401)
  const answers = [
    await xks.ask('health', health()),
    await xks.ask('health', health()),
    await xks.ask('health', health()),
  ]
  t.same(
    answers.map(({ status }) => status),
    [200, 200, 429],
  )
  t.match(answers[2]?.json, { errorName: 'ThrottlingException' })
  xks.clock.time += 1000
  t.equal((await xks.ask('health', health())).status, 200)
})

/** What happens in the background has happened once this is there. */
async function recorded(xks: Awaited<ReturnType<typeof makeXks>>, operation: string) {
  for (;;) {
    const found = xks.audit.records.find((record) => record.operation === operation)
    if (found !== undefined) return found
    await sleep(5)
  }
}
const versionOf = (metadata: unknown): number => Buffer.from(String(metadata), 'base64').readUInt32BE(1)

t.test('a version that has made most of its messages is replaced, and still decrypts', async (t) => {
  const xks = await makeXks()
  t.teardown(xks.close)
  const encrypt = async () => (await xks.ask('keys/k/encrypt', encryptBody(TEXT))).json
  const id = xks.raw.current?.id ?? ''
  await xks.store.commit([{ kind: 'insert', collection: 'messageCounts', row: { id, reserved: WORN_MESSAGES } }])
  const first = await encrypt()
  t.match(await recorded(xks, 'RotateWornKey'), { principal: 'system:rotation', outcome: 'ok', version: 2 })
  const second = await encrypt()
  t.same([versionOf(first.ciphertextMetadata), versionOf(second.ciphertextMetadata)], [1, 2])
  for (const parts of [first, second]) {
    t.same((await xks.ask('keys/k/decrypt', decryptBody(parts))).json, { plaintext: TEXT })
  }
  await encrypt()
  const rotations = xks.audit.records.filter(({ operation }) => operation === 'RotateWornKey')
  t.equal(rotations.length, 1, 'once')
})

t.test('a version without a message left encrypts no more', async (t) => {
  const xks = await makeXks()
  t.teardown(xks.close)
  const id = xks.raw.current?.id ?? ''
  await xks.store.commit([{ kind: 'insert', collection: 'messageCounts', row: { id, reserved: MAX_MESSAGES } }])
  const { status, json } = await xks.ask('keys/k/encrypt', encryptBody(TEXT))
  t.match([status, json], [400, { errorName: 'InvalidStateException' }])
  await recorded(xks, 'RotateWornKey')
  t.equal((await xks.ask('keys/k/encrypt', encryptBody(TEXT))).status, 200, 'its successor does')
})

/** Slow, or gone, or making mistakes, as a test sets it. */
function faulty(fault: { kind: 'none' | 'hang' | 'gone' | 'lies' }) {
  return (backend: CryptoBackend): CryptoBackend =>
    new Proxy(backend, {
      get(target, name) {
        const member: unknown = Reflect.get(target, name, target)
        if (name !== 'encrypt' && name !== 'decrypt') return typeof member === 'function' ? member.bind(target) : member
        return (...args: Parameters<CryptoBackend['encrypt']>) => {
          if (fault.kind === 'hang') return new Promise(() => {})
          if (fault.kind === 'gone') return Promise.reject(new KmsError('backend_unavailable', { backend: 'x' }))
          if (fault.kind === 'lies' && name === 'decrypt') return Promise.resolve(Buffer.alloc(args[2].length - 16))
          return (member as CryptoBackend['encrypt']).apply(target, args)
        }
      },
    })
}

t.test('a key manager that is late, gone or wrong', async (t) => {
  const fault = { kind: 'none' as 'none' | 'hang' | 'gone' | 'lies' }
  const xks = await makeXks({ wrapBackend: faulty(fault), exposure: { deadlineMs: 1500 } })
  t.teardown(xks.close)
  const proven = { ciphertextDataIntegrityValueAlgorithm: 'SHA_256' }
  const answers = async (more = {}) => {
    const { status, json } = await xks.ask('keys/k/encrypt', encryptBody(TEXT, more))
    return [status, json.errorName]
  }
  // The gate's own timers keep no process alive.
  const alive = setInterval(() => {}, 1000)
  fault.kind = 'hang'
  t.same(await answers(), [503, 'DependencyTimeoutException'])
  clearInterval(alive)
  fault.kind = 'gone'
  t.same(await answers(), [500, 'InternalException'])
  fault.kind = 'lies'
  t.same(await answers(proven), [500, 'InternalException'], 'what does not decrypt is not handed out')
  t.match(xks.logged.join(), /request failed|xks/)
  fault.kind = 'none'
  t.same(await answers(proven), [200, undefined])
})

t.test('health is that of what the keys are in', async (t) => {
  let failing = false
  let asked = 0
  const manager = (name: string, check: () => Promise<void>): KeyManager => ({
    name,
    vendor: () => 'Acme',
    model: () => 'HSM 1',
    check: () => {
      asked++
      return check()
    },
  })
  const managers = [
    manager('elsewhere', () => Promise.reject(new Error('down'))),
    manager('software', async () => {
      if (failing) throw new Error('down')
    }),
  ]
  const xks = await makeXks({ managers })
  t.teardown(xks.close)
  const details = async () => (await xks.ask('health', health())).json.ekmFleetDetails
  t.same(await details(), [{ id: 'software', model: 'HSM 1', healthStatus: 'ACTIVE' }])
  failing = true
  await details()
  t.equal(asked, 1, 'kept for a while')
  xks.replace(exposure())
  t.same(await details(), [{ id: 'software', model: 'HSM 1', healthStatus: 'UNAVAILABLE' }])
  xks.audit.available = false
  xks.replace(exposure({ keys: [] }))
  t.equal((await xks.ask('health', health())).status, 500, 'without an audit log nothing works')
})
