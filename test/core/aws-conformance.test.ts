/**
 * AWS's evaluation logic as it is documented (IAM user guide, "Policy evaluation logic" and "JSON policy elements"; KMS
 * developer guide, "Key policies", "Grants" and "Condition keys"): who asks what under which policies and grants, and the
 * verdict with its reason.
 */
import t from 'tap'
import {
  ALICE,
  type Asked,
  ask,
  BOB,
  CAROL,
  FOREIGN_ROOT,
  HERE,
  KEY,
  ROLE,
  ROOT,
  type Rule,
  SESSION,
  THERE,
} from './aws-policy.ts'

type Row = readonly [about: string, asked: Asked, verdict: string]

const NO_KEY = 'no resource-based policy'
const NO_OWN = 'no identity-based policy'
const NO_SESSION = 'no session policy'
const NO_BOUNDARY = 'no permissions boundary'
const KEY_DENIES = 'denied by resource-based policy'
const OWN_DENIES = 'denied by identity-based policy'

const aws = (...names: string[]): Rule => ({ Principal: { AWS: names } })
const deny = (rule: Rule = {}): Rule => ({ ...rule, Effect: 'Deny' })
const DELEGATES = aws(ROOT)
const ANY: readonly Rule[] = [{}]
const NONE: readonly Rule[] = [{ Action: 'kms:ListKeys' }]

let cases = 0
const table = (title: string, rows: readonly Row[]): void =>
  void t.test(title, (t) => {
    for (const [about, asked, verdict] of rows) {
      cases += 1
      t.equal(ask(asked), verdict, about)
    }
    t.end()
  })

table('the key policy is the root of what allows', [
  ['a user it names needs no policy of his own', { key: [aws(ALICE)] }, 'allowed'],
  ['another user does', { key: [aws(BOB)], own: ANY }, NO_KEY],
  ['a path is part of the name', { who: 'bob', key: [aws(BOB)] }, 'allowed'],
  ['the account, and the user’s own policy', { key: [DELEGATES], own: ANY }, 'allowed'],
  ['the account by its number', { key: [aws(HERE)], own: ANY }, 'allowed'],
  ['the account, and no policy of the user’s', { key: [DELEGATES] }, NO_OWN],
  ['the account, and a policy about something else', { key: [DELEGATES], own: NONE }, NO_OWN],
  ['without the account a user’s own policy is worth nothing', { key: [aws(ROLE)], own: ANY }, NO_KEY],
  ['the account for some actions only', { key: [{ Action: 'kms:Encrypt' }], own: ANY }, NO_KEY],
  ['the account’s root needs no policy', { who: 'root', key: [DELEGATES] }, 'allowed'],
  ['but the key’s', { who: 'root', key: [aws(ALICE)] }, NO_KEY],
  ['another account’s root in it is not this one', { key: [aws(FOREIGN_ROOT)], own: ANY }, NO_KEY],
  ['everyone', { key: [{ Principal: '*' }] }, 'allowed'],
  ['everyone, as AWS', { key: [aws('*')] }, 'allowed'],
  ['everyone is not nobody’s caller', { who: 'nobody', key: [aws('*')] }, NO_KEY],
  ['a role, by a session of it', { who: 'app', key: [aws(ROLE)] }, 'allowed'],
  ['a session by its own name', { who: 'app', key: [aws(SESSION)] }, 'allowed'],
  ['another session of the role', { who: 'app', key: [aws(SESSION.replace('run1', 'run2'))] }, NO_KEY],
  ['a role without its path', { who: 'app', key: [aws(ROLE.replace('service/', ''))] }, NO_KEY],
  ['a role does not mean a user', { key: [aws(ROLE)] }, NO_KEY],
  ['a role’s session by the account', { who: 'app', key: [DELEGATES], own: ANY }, 'allowed'],
  ['a federated user', { who: 'federated', key: [aws(`arn:aws:sts::${HERE}:federated-user/fred`)] }, 'allowed'],
  ['a service means no caller', { key: [{ Principal: { Service: 'logs.amazonaws.com' } }], own: ANY }, NO_KEY],
  ['nor does a federation', { key: [{ Principal: { Federated: 'cognito-identity.amazonaws.com' } }] }, NO_KEY],
  ['a service besides a user', { key: [{ Principal: { AWS: ALICE, Service: 'logs.amazonaws.com' } }] }, 'allowed'],
  ['one of several names', { key: [aws(BOB, ALICE)] }, 'allowed'],
  ['one of several statements', { key: [aws(BOB), aws(ALICE)] }, 'allowed'],
  ['an empty policy allows nobody', { key: [deny(aws(BOB))], own: ANY }, NO_KEY],
])

table('whatever denies decides', [
  ['the key’s policy against itself', { key: [aws(ALICE), deny(aws(ALICE))] }, KEY_DENIES],
  ['in whatever order', { key: [deny(aws(ALICE)), aws(ALICE)] }, KEY_DENIES],
  ['against the user’s policy', { key: [DELEGATES, deny(aws(ALICE))], own: ANY }, KEY_DENIES],
  ['the user’s policy against the key’s', { key: [aws(ALICE)], own: [deny()] }, OWN_DENIES],
  ['the user’s policy against itself', { key: [DELEGATES], own: [{}, deny()] }, OWN_DENIES],
  ['the session’s policy', { who: 'app', key: [aws(SESSION)], session: [deny()] }, 'denied by session policy'],
  ['the boundary', { key: [aws(ALICE)], boundary: [deny()] }, 'denied by permissions boundary'],
  ['the account denies each of its users', { key: [aws(ALICE), deny(DELEGATES)] }, KEY_DENIES],
  ['its root too', { who: 'root', key: [DELEGATES, deny(DELEGATES)] }, KEY_DENIES],
  ['everyone', { key: [aws(ALICE), deny(aws('*'))] }, KEY_DENIES],
  ['a role denies its sessions', { who: 'app', key: [aws(SESSION), deny(aws(ROLE))] }, KEY_DENIES],
  ['a denial of somebody else', { key: [aws(ALICE), deny(aws(BOB))] }, 'allowed'],
  ['a denial of something else', { key: [aws(ALICE), deny({ ...aws(ALICE), Action: 'kms:Encrypt' })] }, 'allowed'],
  [
    'a denial under a condition that does not hold',
    {
      key: [aws(ALICE), deny({ ...aws(ALICE), Condition: { Bool: { 'aws:SecureTransport': 'false' } } })],
      context: { 'aws:securetransport': 'true' },
    },
    'allowed',
  ],
  [
    'a denial of another key',
    { key: [aws(ALICE)], own: [deny({ Resource: KEY.replace(/key.*/, 'key/other') })] },
    'allowed',
  ],
  ['nobody is denied by everyone’s name', { who: 'nobody', key: [deny(aws('*'))] }, 'unknown, denied'],
  ['a denial of all but this', { key: [aws(ALICE), deny({ ...aws(ALICE), NotAction: 'kms:Decrypt' })] }, 'allowed'],
  [
    'and of the rest',
    { action: 'Encrypt', key: [aws(ALICE), deny({ ...aws(ALICE), NotAction: 'kms:Decrypt' })] },
    KEY_DENIES,
  ],
])

table('from another account it takes both sides', [
  ['both', { who: 'carol', key: [aws(FOREIGN_ROOT)], own: ANY }, 'allowed'],
  ['the user by name, and his own policy', { who: 'carol', key: [aws(CAROL)], own: ANY }, 'allowed'],
  ['the account by its number', { who: 'carol', key: [aws(THERE)], own: ANY }, 'allowed'],
  ['everyone, and his own policy', { who: 'carol', key: [aws('*')], own: ANY }, 'allowed'],
  ['the key’s side alone', { who: 'carol', key: [aws(CAROL)] }, NO_OWN],
  ['the key’s side alone, by the account', { who: 'carol', key: [aws(FOREIGN_ROOT)] }, NO_OWN],
  ['the caller’s side alone', { who: 'carol', key: [DELEGATES], own: ANY }, 'unknown'],
  ['neither', { who: 'carol', key: [aws(ALICE)] }, 'unknown'],
  ['the key’s policy denies him', { who: 'carol', key: [aws(CAROL), deny(aws(CAROL))], own: ANY }, 'unknown, denied'],
  ['his own policy denies', { who: 'carol', key: [aws(CAROL)], own: [{}, deny()] }, OWN_DENIES],
  ['the other account’s root', { who: 'foreignRoot', key: [aws(FOREIGN_ROOT)] }, 'allowed'],
  ['the other account’s root, not named', { who: 'foreignRoot', key: [DELEGATES] }, 'unknown'],
  ['a boundary narrows there too', { who: 'carol', key: [aws(CAROL)], own: ANY, boundary: NONE }, NO_BOUNDARY],
])

table('boundaries and session policies narrow', [
  ['a boundary allows nothing by itself', { key: [DELEGATES], boundary: ANY }, NO_OWN],
  ['a boundary that allows', { key: [DELEGATES], own: ANY, boundary: ANY }, 'allowed'],
  ['a boundary that does not', { key: [DELEGATES], own: ANY, boundary: NONE }, NO_BOUNDARY],
  ['a user that the key names is not bound by what it leaves out', { key: [aws(ALICE)], boundary: NONE }, 'allowed'],
  ['everyone’s name does not lift a boundary', { key: [aws('*')], boundary: NONE }, NO_BOUNDARY],
  ['a role that the key names is bound by it', { who: 'app', key: [aws(ROLE)], boundary: NONE }, NO_BOUNDARY],
  ['and by its session’s policy', { who: 'app', key: [aws(ROLE)], session: NONE }, NO_SESSION],
  ['a role with both', { who: 'app', key: [aws(ROLE)], session: ANY, boundary: ANY }, 'allowed'],
  [
    'a session that the key names is bound by neither',
    { who: 'app', key: [aws(SESSION)], session: NONE, boundary: NONE },
    'allowed',
  ],
  ['a session policy allows nothing by itself', { who: 'app', key: [DELEGATES], session: ANY }, NO_OWN],
  ['a session policy narrows the role’s', { who: 'app', key: [DELEGATES], own: ANY, session: NONE }, NO_SESSION],
  ['all three', { who: 'app', key: [DELEGATES], own: ANY, session: ANY, boundary: ANY }, 'allowed'],
])

const LISTED = [HERE, ALICE]
table('NotPrincipal', [
  ['a denial spares whom it lists in full', { key: [aws(ALICE), deny({ NotPrincipal: { AWS: LISTED } })] }, 'allowed'],
  ['but not by the user alone', { key: [aws(ALICE), deny({ NotPrincipal: { AWS: ALICE } })] }, KEY_DENIES],
  ['nor by the account alone', { key: [aws(ALICE), deny({ NotPrincipal: { AWS: ROOT } })] }, KEY_DENIES],
  ['the root is its account', { who: 'root', key: [DELEGATES, deny({ NotPrincipal: { AWS: ROOT } })] }, 'allowed'],
  [
    'a session needs its role and account besides',
    {
      who: 'app',
      key: [aws(ROLE), deny({ NotPrincipal: { AWS: [ROOT, ROLE, SESSION] } })],
    },
    'allowed',
  ],
  ['a role alone', { who: 'app', key: [aws(ROLE), deny({ NotPrincipal: { AWS: [ROOT, ROLE] } })] }, KEY_DENIES],
  ['everyone else is denied', { who: 'bob', key: [aws(BOB), deny({ NotPrincipal: { AWS: LISTED } })] }, KEY_DENIES],
  [
    'those of other accounts too',
    { who: 'carol', own: ANY, key: [aws(CAROL), deny({ NotPrincipal: { AWS: LISTED } })] },
    'unknown, denied',
  ],
  ['a permission for all but one', { who: 'bob', key: [{ NotPrincipal: { AWS: ALICE } }] }, 'allowed'],
  ['for that one it is none', { key: [{ NotPrincipal: { AWS: ALICE } }] }, NO_KEY],
  ['his account is he', { key: [{ NotPrincipal: { AWS: ROOT } }] }, NO_KEY],
])

const OTHER_KEY = KEY.replace('1234abcd', 'ffffffff')
table('actions and resources', [
  ['an action', { key: [{ ...aws(ALICE), Action: 'kms:Decrypt' }] }, 'allowed'],
  ['in whatever case', { key: [{ ...aws(ALICE), Action: 'KMS:decrypt' }] }, 'allowed'],
  ['another action', { key: [{ ...aws(ALICE), Action: 'kms:Encrypt' }] }, NO_KEY],
  ['one of a list', { key: [{ ...aws(ALICE), Action: ['kms:Encrypt', 'kms:Decrypt'] }] }, 'allowed'],
  ['all actions of all services', { key: [{ ...aws(ALICE), Action: '*' }] }, 'allowed'],
  ['those of another service', { key: [{ ...aws(ALICE), Action: 's3:*' }] }, NO_KEY],
  [
    'a beginning',
    { action: 'GenerateDataKeyPair', key: [{ ...aws(ALICE), Action: 'kms:GenerateDataKey*' }] },
    'allowed',
  ],
  ['another beginning', { action: 'GenerateMac', key: [{ ...aws(ALICE), Action: 'kms:GenerateDataKey*' }] }, NO_KEY],
  ['an end', { key: [{ ...aws(ALICE), Action: 'kms:*crypt' }] }, 'allowed'],
  ['any character', { key: [{ ...aws(ALICE), Action: 'kms:??crypt' }] }, 'allowed'],
  ['too few of them', { key: [{ ...aws(ALICE), Action: 'kms:?crypt' }] }, NO_KEY],
  ['stars on both sides', { action: 'ReEncryptFrom', key: [{ ...aws(ALICE), Action: 'kms:*Encrypt*' }] }, 'allowed'],
  [
    'a name that goes on',
    { action: 'GenerateDataKeyPair', key: [{ ...aws(ALICE), Action: 'kms:GenerateDataKey' }] },
    NO_KEY,
  ],
  ['all but one', { key: [{ ...aws(ALICE), NotAction: 'kms:Decrypt' }] }, NO_KEY],
  ['all but another', { key: [{ ...aws(ALICE), NotAction: ['kms:Encrypt', 'kms:Put*'] }] }, 'allowed'],
  ['this key', { own: [{ Resource: KEY }] }, 'allowed'],
  ['another key', { own: [{ Resource: OTHER_KEY }] }, NO_OWN],
  ['one of several', { own: [{ Resource: [OTHER_KEY, KEY] }] }, 'allowed'],
  ['keys of a region', { own: [{ Resource: `arn:aws:kms:us-east-1:${HERE}:key/*` }] }, 'allowed'],
  ['keys of another region', { own: [{ Resource: `arn:aws:kms:us-west-2:${HERE}:key/*` }] }, NO_OWN],
  ['keys of any region', { own: [{ Resource: `arn:aws:kms:*:${HERE}:key/*` }] }, 'allowed'],
  ['ARNs have case', { own: [{ Resource: KEY.toUpperCase() }] }, NO_OWN],
  ['an alias is not the key', { own: [{ Resource: `arn:aws:kms:us-east-1:${HERE}:alias/*` }] }, NO_OWN],
  ['all but this key', { own: [{ NotResource: KEY }] }, NO_OWN],
  ['all but another', { own: [{ NotResource: OTHER_KEY }] }, 'allowed'],
  ['a key’s policy about another key', { key: [{ ...aws(ALICE), Resource: OTHER_KEY }] }, NO_KEY],
  [
    'what has no policy of its own',
    { action: 'CreateKey', resource: '*', key: null, own: [{ Action: 'kms:CreateKey' }] },
    'allowed',
  ],
  ['and is not allowed', { action: 'CreateKey', resource: '*', key: null }, NO_OWN],
  [
    'it is not one of the keys',
    {
      action: 'CreateKey',
      resource: '*',
      key: null,
      own: [{ Resource: `arn:aws:kms:*:${HERE}:key/*` }],
    },
    NO_OWN,
  ],
  ['the root may', { who: 'root', action: 'CreateKey', resource: '*', key: null }, 'allowed'],
  ['nobody may not', { who: 'nobody', action: 'CreateKey', resource: '*', key: null }, NO_OWN],
])

const on = (Condition: Rule, context: Asked['context'] = {}): Asked => ({
  key: [{ ...aws(ALICE), Condition }],
  context,
})
const NOT = NO_KEY
const date = { 'aws:currenttime': '2026-06-15T12:00:00Z', 'aws:epochtime': '1781524800' }
table('operators', [
  ['StringEquals', on({ StringEquals: { 'kms:CallerAccount': HERE } }, { 'kms:calleraccount': HERE }), 'allowed'],
  [
    'one of its values',
    on({ StringEquals: { 'kms:CallerAccount': [THERE, HERE] } }, { 'kms:calleraccount': HERE }),
    'allowed',
  ],
  ['another value', on({ StringEquals: { 'kms:CallerAccount': THERE } }, { 'kms:calleraccount': HERE }), NOT],
  ['case matters', on({ StringEquals: { a: 'x' } }, { a: 'X' }), NOT],
  ['a star is a star', on({ StringEquals: { a: 'x*' } }, { a: 'xy' }), NOT],
  [
    'the name of a key has no case',
    on({ StringEquals: { 'KMS:callerACCOUNT': HERE } }, { 'kms:calleraccount': HERE }),
    'allowed',
  ],
  ['a key that is not there', on({ StringEquals: { a: 'x' } }), NOT],
  ['StringNotEquals', on({ StringNotEquals: { a: 'x' } }, { a: 'y' }), 'allowed'],
  ['none of its values', on({ StringNotEquals: { a: ['x', 'y'] } }, { a: 'y' }), NOT],
  ['holds for a key that is not there', on({ StringNotEquals: { a: 'x' } }), 'allowed'],
  ['StringEqualsIgnoreCase', on({ StringEqualsIgnoreCase: { a: 'Xy' } }, { a: 'xY' }), 'allowed'],
  ['StringNotEqualsIgnoreCase', on({ StringNotEqualsIgnoreCase: { a: 'Xy' } }, { a: 'xY' }), NOT],
  ['StringLike', on({ StringLike: { a: 'pro?-*' } }, { a: 'prod-eu-1' }), 'allowed'],
  ['StringLike, all of it', on({ StringLike: { a: 'prod' } }, { a: 'prod-eu-1' }), NOT],
  ['StringLike across everything', on({ StringLike: { a: '*' } }, { a: 'a:b/c' }), 'allowed'],
  ['StringNotLike', on({ StringNotLike: { a: 'prod*' } }, { a: 'test' }), 'allowed'],
  ['NumericEquals', on({ NumericEquals: { n: '7' } }, { n: '7.0' }), 'allowed'],
  ['NumericNotEquals', on({ NumericNotEquals: { n: '7' } }, { n: '7' }), NOT],
  ['NumericLessThan', on({ NumericLessThan: { n: 7 } }, { n: '7' }), NOT],
  ['NumericLessThanEquals', on({ NumericLessThanEquals: { n: '7' } }, { n: '7' }), 'allowed'],
  ['NumericGreaterThan', on({ NumericGreaterThan: { n: '9' } }, { n: '10' }), 'allowed'],
  ['NumericGreaterThanEquals', on({ NumericGreaterThanEquals: { n: '10' } }, { n: '9' }), NOT],
  ['what is no number', on({ NumericLessThan: { n: '10' } }, { n: 'few' }), NOT],
  ['DateLessThan', on({ DateLessThan: { 'aws:CurrentTime': '2026-07-01T00:00:00Z' } }, date), 'allowed'],
  ['DateGreaterThan', on({ DateGreaterThan: { 'aws:CurrentTime': '2026-07-01' } }, date), NOT],
  [
    'DateGreaterThanEquals, a zone',
    on({ DateGreaterThanEquals: { 'aws:CurrentTime': '2026-06-15T14:00:00+02:00' } }, date),
    'allowed',
  ],
  ['DateLessThanEquals, in seconds', on({ DateLessThanEquals: { 'aws:EpochTime': '1781524800' } }, date), 'allowed'],
  ['DateEquals', on({ DateEquals: { 'aws:EpochTime': '2026-06-15T12:00:00Z' } }, date), 'allowed'],
  ['DateNotEquals', on({ DateNotEquals: { 'aws:CurrentTime': '2026-06-15T12:00:00Z' } }, date), NOT],
  ['Bool', on({ Bool: { b: 'true' } }, { b: 'true' }), 'allowed'],
  ['Bool, as JSON has it', on({ Bool: { b: false } }, { b: 'true' }), NOT],
  ['Bool, not there', on({ Bool: { b: 'false' } }), NOT],
  ['BinaryEquals', on({ BinaryEquals: { b: 'QmluYXJ5' } }, { b: 'QmluYXJ5' }), 'allowed'],
  ['IpAddress', on({ IpAddress: { ip: '192.0.2.0/24' } }, { ip: '192.0.2.77' }), 'allowed'],
  ['outside', on({ IpAddress: { ip: '192.0.2.0/25' } }, { ip: '192.0.2.128' }), NOT],
  ['one address', on({ IpAddress: { ip: ['198.51.100.1', '192.0.2.1'] } }, { ip: '192.0.2.1' }), 'allowed'],
  ['IPv6', on({ IpAddress: { ip: '2001:db8::/32' } }, { ip: '2001:db8:ffff::1' }), 'allowed'],
  ['IPv6, outside', on({ IpAddress: { ip: '2001:db8::/33' } }, { ip: '2001:db8:ffff::1' }), NOT],
  ['IPv4 in IPv6', on({ IpAddress: { ip: '192.0.2.0/24' } }, { ip: '::ffff:192.0.2.5' }), 'allowed'],
  ['NotIpAddress', on({ NotIpAddress: { ip: '192.0.2.0/24' } }, { ip: '192.0.2.1' }), NOT],
  ['NotIpAddress, elsewhere', on({ NotIpAddress: { ip: '192.0.2.0/24' } }, { ip: '2001:db8::1' }), 'allowed'],
  ['ArnEquals', on({ ArnEquals: { p: ROLE } }, { p: ROLE }), 'allowed'],
  ['ArnEquals has wildcards', on({ ArnEquals: { p: `arn:aws:iam::${HERE}:role/*` } }, { p: ROLE }), 'allowed'],
  ['ArnLike, an account’s', on({ ArnLike: { p: 'arn:*:iam::*:role/service/*' } }, { p: ROLE }), 'allowed'],
  ['a star stays in its part', on({ ArnLike: { p: 'arn:aws:*:role/service/App' } }, { p: ROLE }), NOT],
  ['ArnNotEquals', on({ ArnNotEquals: { p: ROLE } }, { p: ROLE }), NOT],
  ['ArnNotLike', on({ ArnNotLike: { p: 'arn:aws:iam::*:user/*' } }, { p: ROLE }), 'allowed'],
  ['Null, and it is not there', on({ Null: { a: 'true' } }), 'allowed'],
  ['Null, and it is', on({ Null: { a: 'true' } }, { a: 'x' }), NOT],
  ['not Null', on({ Null: { a: 'false' } }, { a: 'x' }), 'allowed'],
  ['an empty text is there', on({ Null: { a: 'false' } }, { a: '' }), 'allowed'],
  ['IfExists, not there', on({ StringEqualsIfExists: { a: 'x' } }), 'allowed'],
  ['IfExists, there', on({ StringEqualsIfExists: { a: 'x' } }, { a: 'y' }), NOT],
  ['BoolIfExists', on({ BoolIfExists: { b: 'true' } }, { b: 'false' }), NOT],
  ['all operators must hold', on({ StringEquals: { a: 'x' }, Bool: { b: 'true' } }, { a: 'x', b: 'false' }), NOT],
  ['all keys must hold', on({ StringEquals: { a: 'x', c: 'y' } }, { a: 'x', c: 'z' }), NOT],
  ['two that hold', on({ StringEquals: { a: 'x', c: 'y' } }, { a: 'x', c: 'y' }), 'allowed'],
])

const denied = (Condition: Rule, context: Asked['context'] = {}): Asked => ({
  key: [aws(ALICE), deny({ ...aws(ALICE), Condition })],
  context,
})
table('keys of several values', [
  ['ForAllValues', on({ 'ForAllValues:StringEquals': { l: ['a', 'b'] } }, { l: ['a', 'b'] }), 'allowed'],
  ['one of them is not listed', on({ 'ForAllValues:StringEquals': { l: ['a', 'b'] } }, { l: ['a', 'c'] }), NOT],
  ['ForAllValues of none', on({ 'ForAllValues:StringEquals': { l: 'a' } }), 'allowed'],
  ['ForAllValues of an empty list', on({ 'ForAllValues:StringEquals': { l: 'a' } }, { l: [] }), 'allowed'],
  ['ForAnyValue', on({ 'ForAnyValue:StringEquals': { l: ['a', 'x'] } }, { l: ['c', 'a'] }), 'allowed'],
  ['none of them', on({ 'ForAnyValue:StringEquals': { l: ['a', 'x'] } }, { l: ['c', 'd'] }), NOT],
  ['ForAnyValue of none', on({ 'ForAnyValue:StringNotEquals': { l: 'a' } }), NOT],
  ['ForAllValues, negated', on({ 'ForAllValues:StringNotEquals': { l: 'a' } }, { l: ['b', 'a'] }), NOT],
  ['ForAnyValue, negated', on({ 'ForAnyValue:StringNotEquals': { l: 'a' } }, { l: ['b', 'a'] }), 'allowed'],
  [
    'ForAnyValue:StringLike',
    on({ 'ForAnyValue:StringLike': { l: 'alias/prod-*' } }, { l: ['alias/prod-1'] }),
    'allowed',
  ],
  ['ForAllValues with IfExists', on({ 'ForAllValues:StringEqualsIfExists': { l: 'a' } }), 'allowed'],
  ['taken as one, all must allow', on({ StringEquals: { l: 'a' } }, { l: ['a', 'b'] }), NOT],
  ['taken as one, any denies', denied({ StringEquals: { l: 'a' } }, { l: ['a', 'b'] }), KEY_DENIES],
])

const own = (Resource: string, context: Asked['context'] = {}, version?: string): Asked => ({
  own: [{ Resource }],
  context,
  resource: 'arn:aws:kms:us-east-1:1:alias/alice',
  key: null,
  ...(version !== undefined && { version }),
})
const PREFIX = 'arn:aws:kms:us-east-1:1:alias/'
const VARIABLE = '$' + '{aws:username}'
const variable = (inside: string): string => `$${`{${inside}}`}`
table('policy variables', [
  ['in a resource', own(`${PREFIX}${VARIABLE}`, { 'aws:username': 'alice' }), 'allowed'],
  ['of somebody else', own(`${PREFIX}${VARIABLE}`, { 'aws:username': 'bob' }), NO_OWN],
  ['that has no value', own(`${PREFIX}${VARIABLE}`), NO_OWN],
  ['whose name has no case', own(`${PREFIX}${variable('AWS:UserName')}`, { 'aws:username': 'alice' }), 'allowed'],
  ['with a default', own(`${PREFIX}${variable("aws:username, 'alice'")}`), 'allowed'],
  [
    'whose default is not needed',
    own(`${PREFIX}${variable("aws:username, 'alice'")}`, { 'aws:username': 'bob' }),
    NO_OWN,
  ],
  ['a value’s star is no wildcard', own(`${PREFIX}${VARIABLE}`, { 'aws:username': 'a*' }), NO_OWN],
  ['a star that is meant', own(`${PREFIX}${variable('*')}`), NO_OWN],
  ['a wildcard besides', own(`${PREFIX}${VARIABLE}*`, { 'aws:username': 'al' }), 'allowed'],
  [
    'not in documents of the older version',
    own(`${PREFIX}${VARIABLE}`, { 'aws:username': 'alice' }, '2008-10-17'),
    NO_OWN,
  ],
  [
    'in a condition',
    on(
      { StringEquals: { 'kms:EncryptionContext:user': VARIABLE } },
      { 'kms:encryptioncontext:user': 'alice', 'aws:username': 'alice' },
    ),
    'allowed',
  ],
  [
    'in a condition, another value',
    on(
      { StringEquals: { 'kms:EncryptionContext:user': VARIABLE } },
      { 'kms:encryptioncontext:user': 'bob', 'aws:username': 'alice' },
    ),
    NOT,
  ],
  [
    'a tag of the caller’s',
    on(
      { StringEquals: { 'aws:ResourceTag/team': variable('aws:PrincipalTag/team') } },
      { 'aws:resourcetag/team': 'red', 'aws:principaltag/team': 'red' },
    ),
    'allowed',
  ],
  ['in a pattern', on({ StringLike: { a: `${VARIABLE}/*` } }, { a: 'alice/1', 'aws:username': 'alice' }), 'allowed'],
  ['an escaped character', on({ StringLike: { a: `${variable('?')}*` } }, { a: '?x' }), 'allowed'],
  ['an escaped dollar', on({ StringEquals: { a: `${variable('$')}x` } }, { a: '$x' }), 'allowed'],
  [
    'in an ARN',
    on({ ArnLike: { p: `arn:aws:iam::${HERE}:user/${VARIABLE}` } }, { p: ALICE, 'aws:username': 'alice' }),
    'allowed',
  ],
])

const by = (grants: Asked['grants'], more: Asked = {}): Asked => ({ key: [aws(BOB)], grants, ...more })
const CONTEXT = { department: 'finance', project: 'x' }
const limited = (constraints: object, encryptionContext?: Asked['encryptionContext']): Asked =>
  by([{ constraints }], encryptionContext && { encryptionContext })
const CREATES = { operations: ['Decrypt', 'Encrypt', 'CreateGrant'] }
const creates = (parent: object, wanted: Asked['wanted']): Asked =>
  by([{ ...CREATES, ...parent }], { action: 'CreateGrant', ...(wanted && { wanted }) })
table('grants', [
  ['to a user', by([{}]), 'granted by g'],
  ['for another operation', by([{}], { action: 'Encrypt' }), NO_KEY],
  ['to somebody else', by([{ grantee: BOB }]), NO_KEY],
  ['one of several', by([{ id: 'a', grantee: BOB }, { id: 'b' }]), 'granted by b'],
  ['not needed where a policy allows', { key: [aws(ALICE)], grants: [{}] }, 'allowed'],
  ['against a denial of the key’s policy', { key: [deny(aws(ALICE))], grants: [{}] }, KEY_DENIES],
  ['against a denial of his own policy', by([{}], { own: [deny()] }), OWN_DENIES],
  [
    'against a denial of the session’s',
    by([{ grantee: ROLE }], { who: 'app', session: [deny()] }),
    'denied by session policy',
  ],
  ['to a role', by([{ grantee: ROLE }], { who: 'app' }), 'granted by g'],
  ['to a role, narrowed by the session’s policy', by([{ grantee: ROLE }], { who: 'app', session: NONE }), NO_KEY],
  ['to a session', by([{ grantee: SESSION }], { who: 'app', session: NONE }), 'granted by g'],
  ['to an account, and the user’s own policy', by([{ grantee: ROOT }], { own: ANY }), 'granted by g'],
  ['to an account, without one', by([{ grantee: ROOT }]), NO_KEY],
  ['to an account’s root', by([{ grantee: ROOT }], { who: 'root' }), 'granted by g'],
  ['across accounts', by([{ grantee: CAROL }], { who: 'carol' }), 'granted by g'],
  ['across accounts, denied at home', by([{ grantee: CAROL }], { who: 'carol', own: [deny()] }), OWN_DENIES],
  [
    'across accounts, denied by the key',
    { who: 'carol', key: [deny(aws(CAROL))], grants: [{ grantee: CAROL }] },
    'unknown, denied',
  ],
  ['nobody is granted anything', by([{}], { who: 'nobody' }), NO_KEY],
  ['all of a context', limited({ equals: CONTEXT }, CONTEXT), 'granted by g'],
  ['more than that', limited({ equals: CONTEXT }, { ...CONTEXT, more: '1' }), NO_KEY],
  ['less than that', limited({ equals: CONTEXT }, { department: 'finance' }), NO_KEY],
  ['none at all', limited({ equals: CONTEXT }, {}), NO_KEY],
  ['part of a context', limited({ subset: { department: 'finance' } }, CONTEXT), 'granted by g'],
  ['another value', limited({ subset: { department: 'legal' } }, CONTEXT), NO_KEY],
  ['names have no case', limited({ subset: { Department: 'finance' } }, CONTEXT), 'granted by g'],
  ['values have', limited({ subset: { department: 'Finance' } }, CONTEXT), NO_KEY],
  ['what has no context is not bound', limited({ subset: { department: 'finance' } }), 'granted by g'],
  ['a name of every object’s', limited({ subset: { toString: 'x' } }, { a: 'b' }), NO_KEY],
  ['a grant on a grant, the same', creates({}, { operations: ['Decrypt'], constraints: {} }), 'granted by g'],
  ['wider in its operations', creates({}, { operations: ['Decrypt', 'Sign'], constraints: {} }), NO_KEY],
  [
    'without the parent’s constraint',
    creates({ constraints: { subset: CONTEXT } }, { operations: ['Decrypt'], constraints: {} }),
    NO_KEY,
  ],
  [
    'with a wider one',
    creates(
      { constraints: { subset: CONTEXT } },
      { operations: ['Decrypt'], constraints: { subset: { project: 'x' } } },
    ),
    NO_KEY,
  ],
  [
    'with a narrower one',
    creates(
      { constraints: { subset: { project: 'x' } } },
      { operations: ['Decrypt'], constraints: { subset: CONTEXT } },
    ),
    'granted by g',
  ],
  [
    'all of a context is narrower than part of it',
    creates(
      { constraints: { subset: { project: 'x' } } },
      { operations: ['Encrypt'], constraints: { equals: CONTEXT } },
    ),
    'granted by g',
  ],
  [
    'part of it is wider than all',
    creates({ constraints: { equals: CONTEXT } }, { operations: ['Encrypt'], constraints: { subset: CONTEXT } }),
    NO_KEY,
  ],
  [
    'a parent that may not make grants',
    by([{}], { action: 'CreateGrant', wanted: { operations: ['Decrypt'], constraints: {} } }),
    NO_KEY,
  ],
])

t.test('the table is as long as it was meant to be', (t) => {
  t.ok(cases >= 150, `${cases} cases`)
  t.end()
})
