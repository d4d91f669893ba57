import t from 'tap'
import { routes } from '../../src/api/aws/bindings/index.ts'
import { coverage } from '../../src/api/aws/coverage.ts'
import { ERROR_SHAPES } from '../../src/api/aws/gen/errors.ts'
import { OPERATIONS } from '../../src/api/aws/gen/operations.ts'
import { arnOf, makeAws, makeSurface } from './support.ts'

t.test('the contract has all of the cloud’s operations', async (t) => {
  t.equal(Object.keys(OPERATIONS).length, 56)
  t.ok('Encapsulate' in OPERATIONS && 'Decapsulate' in OPERATIONS)
  t.equal(coverage.length, 56)
  t.equal(coverage.filter(({ operation }) => operation !== undefined).length, routes.length)
  t.equal(ERROR_SHAPES.KMSInternalException, 'server')
})

t.test('whose request it is', async (t) => {
  const { awsSurface } = await makeSurface()
  const head = (method: string, url: string, headers: Record<string, string> = {}) => ({ method, url, headers })
  const target = { 'x-amz-target': 'TrentService.Encrypt' }
  t.equal(awsSurface.rewrite?.(head('POST', '/', target)), '/@aws/Encrypt')
  t.equal(awsSurface.rewrite?.(head('GET', '/', target)), undefined)
  t.equal(awsSurface.rewrite?.(head('POST', '/keys', target)), undefined)
  t.equal(awsSurface.rewrite?.(head('POST', '/', { 'x-amz-target': 'TrentService.toString' })), undefined)
  t.equal(awsSurface.rewrite?.(head('POST', '/', { 'x-amz-target': 'DynamoDB.Encrypt' })), undefined)
  t.ok(awsSurface.owns(head('POST', '/')))
  t.ok(awsSurface.owns(head('GET', '/x', target)))
  t.notOk(awsSurface.owns(head('POST', '/v1/projects/p', { 'content-type': 'application/json' })))
})

t.test('bodies that are none, and requests for nothing', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  for (const payload of [
    '',
    '{',
    'null',
    '[]',
    '{"KeyId":"a","KeyId":"b"}',
    '{"__proto__":{}}',
    Buffer.from([0x22, 0xff, 0x22]),
  ]) {
    t.match(await aws.refusal('DescribeKey', {}, { payload }), /^SerializationException/, String(payload))
  }
  t.match(await aws.refusal('DescribeKey', {}, { payload: '['.repeat(5000) }), /^SerializationException/)
  const huge = await aws.ask('DescribeKey', {}, { payload: `"${'x'.repeat(2 << 20)}"` })
  t.same([huge.status, huge.body.__type], [413, 'RequestEntityTooLargeException'])
  t.equal(await aws.refusal('Nonsense'), 'UnknownOperationException')
  t.equal(await aws.refusal('Other.Encrypt'), 'UnknownOperationException')
  t.equal(await aws.refusal('ListKeys', {}, { headers: { 'content-type': 'text/plain' } }), 'UnknownOperationException')
  t.equal(await aws.refusal('ListKeys', {}, { headers: { 'content-type': 'application/x-amz-json-1.0' } }), 'ok')
  t.equal(await aws.refusal('ListKeys', { Surprise: [1] }), 'ok')
})

t.test('answers carry a request id and AWS’s content type', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  for (const operation of ['ListKeys', 'DescribeKey', 'Nonsense', 'ReplicateKey']) {
    const { headers, status } = await aws.ask(operation)
    t.match(headers['x-amzn-requestid'], /^[0-9a-f-]{36}$/)
    t.equal(headers['content-type'], 'application/x-amz-json-1.1')
    t.equal(status, operation === 'ListKeys' ? 200 : 400)
  }
})

t.test('the region comes from the credential, and regions do not see each other', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  const id = await aws.createKey()
  const there = { region: 'eu-central-1' }
  t.match((await aws.ask('ListKeys', {}, there)).body, { Keys: [] })
  t.equal(
    await aws.refusal('DescribeKey', { KeyId: id }, there),
    `NotFoundException: Key '${arnOf(id).replace('us-east-1', 'eu-central-1')}' does not exist`,
  )
  const { CiphertextBlob } = (await aws.ask('Encrypt', { KeyId: id, Plaintext: 'aGk=' })).body
  t.not(await aws.refusal('Decrypt', { CiphertextBlob }, there), 'ok')
  const made = (await aws.ask('CreateKey', {}, there)).body.KeyMetadata
  t.match(made.Arn, 'arn:aws:kms:eu-central-1:')
  const anonymous = await aws.ask('ListKeys', {}, { headers: { authorization: 'nonsense' } })
  t.equal(anonymous.body.Keys[0].KeyId, id, 'without a credential: the configured region')
})

t.test('who asked is recorded', async (t) => {
  const open = await makeAws()
  t.teardown(() => open.close())
  await open.ask('ListKeys', {}, { headers: { 'amz-sdk-invocation-id': 'abc-123' } })
  t.match(open.audit.records.at(-1), {
    wire: 'ListKeys',
    dialect: 'aws',
    principal: 'sigv4:AKIDEXAMPLE',
    method: 'sigv4',
    clientRequestId: 'abc-123',
    outcome: 'ok',
  })
  await open.ask('ListKeys', {}, { headers: { authorization: 'Basic x', 'amz-sdk-invocation-id': 'bad id\u0020{}' } })
  t.match(open.audit.records.at(-1), { principal: 'anonymous:', method: 'none' })
  t.notOk(open.audit.records.at(-1)?.clientRequestId)
})

t.test('denial, and a log that cannot be written', async (t) => {
  const aws = await makeAws('permissive', {
    decide: ({ action }) => (action === 'get-key' ? { allow: false, reason: 'test' } : { allow: true }),
  })
  t.teardown(() => aws.close())
  const id = await aws.createKey()
  t.match(
    await aws.refusal('DescribeKey', { KeyId: id }),
    `AccessDeniedException: The caller is not authorized to perform: kms:DescribeKey on resource: ${arnOf(id)}`,
  )
  aws.audit.available = false
  const { status, body } = await aws.ask('Encrypt', { KeyId: id, Plaintext: 'aGk=' })
  t.same([status, body.__type], [503, 'ServiceUnavailableException'])
})

t.test('every operation that only the cloud has is refused as unsupported', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  for (const { wire, operation } of coverage) {
    if (operation !== undefined) continue
    t.equal(await aws.refusal(wire), `UnsupportedOperationException: ${wire} is not supported.`)
  }
})
