/** The Security Token Service: who somebody is, roles, sessions; its protocol, and what it refuses. */
import t from 'tap'
import { principalArn, type StoredPrincipal } from '../../src/core/principals/principal.ts'
import { amzDate, type Credentials, sign } from '../sigv4/sign.ts'
import { ACCOUNT, makeAws, type TestAws, USER } from './support.ts'

const FORM = 'application/x-www-form-urlencoded; charset=utf-8'
const HOST = '127.0.0.1:7400'
const OTHER = '444455556666'

type Ask = {
  readonly as?: Credentials | undefined
  readonly service?: string
  readonly payload?: string
  readonly unsigned?: boolean
}

function client(aws: TestAws) {
  const ask = async (Action: string, parameters: Readonly<Record<string, string>> = {}, more: Ask = {}) => {
    const {
      as = USER,
      service = 'sts',
      payload = String(new URLSearchParams({ Action, Version: '2011-06-15', ...parameters })),
    } = more
    const plain = { host: HOST, 'content-type': FORM }
    const signing = { method: 'POST', path: '/', headers: plain, body: payload }
    const headers = more.unsigned === true ? plain : sign(signing, as, { at: aws.clock.now(), service })
    const {
      statusCode,
      body,
      headers: sent,
    } = await aws.server.app.inject({ method: 'POST', url: '/', headers, payload })
    return { status: statusCode, body, type: sent['content-type'] }
  }
  const member = (body: string, name: string): string =>
    new RegExp(`<${name}>(.*?)</${name}>`, 's').exec(body)?.[1] ?? ''
  const refusal = async (...args: Parameters<typeof ask>): Promise<string> => {
    const { status, body, type } = await ask(...args)
    if (status === 200) return 'ok'
    t.match(type, /^text\/xml/)
    t.match(
      body,
      /^<ErrorResponse xmlns="https:\/\/sts\.amazonaws\.com\/doc\/2011-06-15\/"><Error><Type>(Sender|Receiver)</,
    )
    return `${status} ${member(body, 'Code')}: ${member(body, 'Message')}`
  }
  const assume = async (
    parameters: Readonly<Record<string, string>>,
    more: Ask = {},
  ): Promise<Credentials & { arn: string }> => {
    const { status, body } = await ask('AssumeRole', { RoleSessionName: 'test', ...parameters }, more)
    if (status !== 200) throw new Error(body)
    return {
      accessKeyId: member(body, 'AccessKeyId'),
      secretAccessKey: member(body, 'SecretAccessKey'),
      sessionToken: member(body, 'SessionToken'),
      arn: member(body, 'Arn'),
    }
  }
  return { ask, refusal, member, assume }
}

const role = (name: string, statement: object, more: Partial<StoredPrincipal> = {}): StoredPrincipal => ({
  id: `AROA${name.toUpperCase()}`,
  kind: 'role',
  account: ACCOUNT,
  name,
  policies: [],
  trust: JSON.stringify({
    Version: '2012-10-17',
    Statement: { Effect: 'Allow', Action: 'sts:AssumeRole', ...statement },
  }),
  tags: {},
  createdAt: 0,
  ...more,
})
const put = (aws: TestAws, row: StoredPrincipal): string => {
  aws.directory.committed([{ kind: 'insert', collection: 'principals', row }])
  return principalArn(row)
}
const TEST = `arn:aws:iam::${ACCOUNT}:user/test`

t.test('GetCallerIdentity', async (t) => {
  const aws = await makeAws('enforce')
  t.teardown(() => aws.close())
  const { ask, refusal } = client(aws)
  const { status, body, type } = await ask('GetCallerIdentity')
  t.equal(status, 200)
  t.match(type, /^text\/xml/)
  t.match(
    body,
    new RegExp(
      `^<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Arn>${TEST}</Arn><UserId>AIDATESTUSER00000000</UserId><Account>${ACCOUNT}</Account></GetCallerIdentityResult><ResponseMetadata><RequestId>[0-9a-f-]{36}</RequestId></ResponseMetadata></GetCallerIdentityResponse>$`,
    ),
  )
  t.match(aws.audit.records.at(-1), { dialect: 'aws', wire: 'GetCallerIdentity', identity: TEST, outcome: 'ok' })
  t.match(await refusal('GetCallerIdentity', {}, { unsigned: true }), /^403 MissingAuthenticationToken: /)
  t.match(
    await refusal('GetCallerIdentity', {}, { as: { ...USER, accessKeyId: 'AKIANOBODY' } }),
    /^403 InvalidClientTokenId: /,
  )
  t.match(
    await refusal('GetCallerIdentity', {}, { as: { ...USER, secretAccessKey: 'x' } }),
    /^403 SignatureDoesNotMatch: /,
  )
  t.match(
    await refusal('GetCallerIdentity', {}, { service: 'kms' }),
    /^403 SignatureDoesNotMatch: Credential should be scoped to correct service: 'sts'/,
  )
  t.match(await aws.refusal('ListKeys'), 'ok', 'and KMS beside it')
})

t.test('presigned, as those who prove their identity to others do it', async (t) => {
  const aws = await makeAws('enforce')
  t.teardown(() => aws.close())
  const date = amzDate(aws.clock.now())
  const query = `Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=${USER.accessKeyId}%2F${date.slice(0, 8)}%2Fus-east-1%2Fsts%2Faws4_request&X-Amz-Date=${date}&X-Amz-Expires=60&X-Amz-SignedHeaders=host`
  const { authorization } = sign({ method: 'GET', path: '/', query, headers: { host: HOST } }, USER, {
    at: aws.clock.now(),
    service: 'sts',
    signed: ['host'],
  })
  const url = `/?${query}&X-Amz-Signature=${/Signature=(\w+)/.exec(authorization ?? '')?.[1]}`
  const get = (to: string) => aws.server.app.inject({ method: 'GET', url: to, headers: { host: HOST } })
  t.match((await get(url)).body, `<Arn>${TEST}</Arn>`)
  t.match((await get(url.replace('GetCallerIdentity', 'GetSessionToken'))).body, 'SignatureDoesNotMatch')
  aws.clock.time += 60_001
  t.match((await get(url)).body, 'Signature expired')
})

t.test('without credentials in dev', async (t) => {
  const aws = await makeAws('off')
  t.teardown(() => aws.close())
  const { ask, assume } = client(aws)
  t.match((await ask('GetCallerIdentity')).body, `<Arn>arn:aws:iam::${ACCOUNT}:root</Arn>`)
  const { arn, sessionToken } = await assume({ RoleArn: `arn:aws:iam::${OTHER}:role/any` })
  t.equal(arn, `arn:aws:sts::${OTHER}:assumed-role/any/test`)
  t.ok(sessionToken)
})

t.test('AssumeRole', async (t) => {
  const aws = await makeAws('enforce')
  t.teardown(() => aws.close())
  const { ask, assume, refusal } = client(aws)
  const RoleArn = put(aws, role('app', { Principal: { AWS: TEST } }, { tags: { team: 'one' } }))
  const session = await assume({ RoleArn, 'Tags.member.1.Key': 'task', 'Tags.member.1.Value': '7' })
  t.match(session, { accessKeyId: /^ASIA/, arn: `arn:aws:sts::${ACCOUNT}:assumed-role/app/test` })
  t.match(aws.audit.records.at(-1), { wire: 'AssumeRole', identity: TEST, about: RoleArn, outcome: 'ok' })
  t.match((await ask('GetCallerIdentity', {}, { as: session })).body, '<UserId>AROAAPP:test</UserId>')
  t.equal(await aws.refusal('ListKeys', {}, { as: session }), 'ok')
  t.match(aws.audit.records.at(-1), { principal: `sigv4:${session.accessKeyId}`, identity: session.arn })
  const policy = JSON.stringify({ Statement: { Effect: 'Allow', Action: 'kms:ListKeys', Resource: '*' } })
  const limited = await assume({ RoleArn, Policy: policy })
  const found = aws.sessions.find(limited.sessionToken ?? '', limited.accessKeyId)
  t.match(found?.principal.aws, {
    roleArn: RoleArn,
    sessionName: 'test',
    sessionPolicies: [JSON.parse(policy)],
    tags: { team: 'one' },
  })
  aws.clock.time += 3_600_000
  t.equal(
    await aws.refusal('ListKeys', {}, { as: session }),
    'ExpiredTokenException: The security token included in the request is expired',
  )
  t.match(await refusal('GetCallerIdentity', {}, { as: session }), /^403 ExpiredToken: /)

  const denied = (arn: string) =>
    `403 AccessDenied: User: ${TEST} is not authorized to perform: sts:AssumeRole on resource: ${arn}`
  const attempt = (arn: string, more: Readonly<Record<string, string>> = {}) =>
    refusal('AssumeRole', { RoleArn: arn, RoleSessionName: 'test', ...more })
  const absent = `arn:aws:iam::${ACCOUNT}:role/absent`
  t.equal(await attempt(absent), denied(absent))
  t.match(aws.audit.records.at(-1), { dialect: 'aws', wire: 'AssumeRole', outcome: 'access_denied' })
  const others = put(aws, role('others', { Principal: { AWS: `arn:aws:iam::${ACCOUNT}:user/other` } }))
  t.equal(await attempt(others), denied(others))
  t.equal(await attempt(TEST), denied(TEST), 'a user is no role')
  const account = put(aws, role('account', { Principal: { AWS: `arn:aws:iam::${ACCOUNT}:root` } }))
  t.equal(await attempt(account), denied(account), 'left to the account, whose user has no policy for it')
  const external = put(
    aws,
    role('external', { Principal: { AWS: TEST }, Condition: { StringEquals: { 'sts:ExternalId': 'x1' } } }),
  )
  t.equal(await attempt(external), denied(external))
  t.equal(await attempt(external, { ExternalId: 'x1' }), 'ok')
})

t.test('across accounts both sides must allow', async (t) => {
  const aws = await makeAws('enforce')
  t.teardown(() => aws.close())
  const { refusal } = client(aws)
  const RoleArn = put(aws, role('far', { Principal: { AWS: TEST } }, { account: OTHER }))
  t.match(await refusal('AssumeRole', { RoleArn, RoleSessionName: 'test' }), /^403 AccessDenied/)
  const user = aws.directory.byArn(TEST) as StoredPrincipal
  const policy = { Statement: { Effect: 'Allow', Action: 'sts:AssumeRole', Resource: RoleArn } }
  put(aws, { ...user, policies: [JSON.stringify(policy)] })
  t.equal(await refusal('AssumeRole', { RoleArn, RoleSessionName: 'test' }), 'ok')
})

t.test('GetSessionToken, and what sessions may not', async (t) => {
  const aws = await makeAws('enforce')
  t.teardown(() => aws.close())
  const { ask, refusal, member } = client(aws)
  const { body } = await ask('GetSessionToken', { DurationSeconds: '900' })
  t.equal(member(body, 'Expiration'), new Date(aws.clock.now() + 900_000).toISOString().replace('.000', ''))
  const as = {
    accessKeyId: member(body, 'AccessKeyId'),
    secretAccessKey: member(body, 'SecretAccessKey'),
    sessionToken: member(body, 'SessionToken'),
  }
  t.match((await ask('GetCallerIdentity', {}, { as })).body, `<Arn>${TEST}</Arn>`)
  t.equal(
    await refusal('GetSessionToken', {}, { as }),
    '403 AccessDenied: Cannot call GetSessionToken with session credentials',
  )
  const RoleArn = put(aws, role('long', { Principal: '*' }, { maxSessionSeconds: 7200 }))
  t.equal(await refusal('AssumeRole', { RoleArn, RoleSessionName: 'test', DurationSeconds: '7200' }), 'ok')
  t.match(
    await refusal('AssumeRole', { RoleArn, RoleSessionName: 'test', DurationSeconds: '7201' }),
    /^400 ValidationError: The requested DurationSeconds exceeds the MaxSessionDuration/,
  )
})

t.test('what is no request', async (t) => {
  const aws = await makeAws('enforce')
  t.teardown(() => aws.close())
  const { ask, refusal } = client(aws)
  t.equal(
    await refusal('Nonsense<&>'),
    '400 InvalidAction: Could not find operation Nonsense&lt;&amp;&gt; for version 2011-06-15',
  )
  t.equal(
    await refusal('GetCallerIdentity', { Version: '2010-01-01' }),
    '400 InvalidAction: Could not find operation GetCallerIdentity for version 2010-01-01',
  )
  t.match(await refusal('', {}, { payload: 'Version=2011-06-15' }), /^400 MissingAction: /)
  t.match(await refusal('', {}, { payload: 'a&'.repeat(300) }), /^400 MissingAction: /)
  t.match(
    await refusal('', {}, { payload: Array.from({ length: 300 }, (_, n) => `p${n}=1`).join('&') }),
    /^400 MalformedInput: /,
  )
  t.match(await refusal('', {}, { payload: `Action=${'x'.repeat(70_000)}` }), /^413 /)
  const RoleArn = put(aws, role('app', { Principal: { AWS: TEST } }))
  const attempt = (parameters: Readonly<Record<string, string>>) =>
    refusal('AssumeRole', { RoleArn, RoleSessionName: 'ok', ...parameters })
  t.match(
    await attempt({ RoleSessionName: 'a b' }),
    /^400 ValidationError: 1 validation error detected: Value 'a b' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: /,
  )
  t.match(await attempt({ RoleSessionName: 'a' }), /length greater than or equal to 2$/)
  t.match(await attempt({ RoleArn: 'x' }), /at 'roleArn' failed/)
  t.match(await attempt({ DurationSeconds: '1' }), /at 'durationSeconds' failed .* greater than or equal to 900$/)
  t.match(await attempt({ DurationSeconds: 'long' }), /^400 MalformedInput/)
  t.match(await attempt({ Policy: '{' }), /^400 MalformedPolicyDocument/)
  t.match(await attempt({ TokenCode: '123456' }), /^400 ValidationError: TokenCode is not supported/)
  t.match(await attempt({ 'PolicyArns.member.1.arn': 'x' }), /PolicyArns is not supported/)
  const tag = (n: number, key: string) => ({ [`Tags.member.${n}.Key`]: key, [`Tags.member.${n}.Value`]: 'v' })
  t.match(await attempt({ ...tag(1, 'a'), ...tag(2, 'A') }), /^400 InvalidParameterValue: Duplicate tag keys/)
  t.equal((await ask('AssumeRole', { RoleArn })).status, 400)
  const long = (n: number) => ({
    [`Tags.member.${n}.Key`]: `${n}`.padEnd(128, 'k'),
    [`Tags.member.${n}.Value`]: 'v'.repeat(256),
  })
  const tags = (count: number) => Object.assign({}, ...Array.from({ length: count }, (_, index) => long(index + 1)))
  t.equal(await attempt(tags(10)), 'ok')
  t.match(await attempt(tags(30)), /^400 PackedPolicyTooLarge: /)
})
