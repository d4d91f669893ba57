/** The configuration: where settings come from, what is refused and with which advice. */
import { mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { fromEnvironment, variableNames } from '../../src/config/environment.ts'
import { nearest } from '../../src/config/nearest.ts'
import { type ConfigSources, hsmEnvironment, loadConfig, readSecret, redactedConfig } from '../../src/config.ts'
import { Problem } from '../../src/core/problem.ts'

const directory = mkdtempSync(join(tmpdir(), 'trefoil-config-'))
t.teardown(() => rmSync(directory, { recursive: true }))
const write = (name: string, text: string): string => {
  const path = join(directory, name)
  writeFileSync(path, text)
  return path
}
/** Nothing of the machine's own settings. */
const load = (sources: ConfigSources) => loadConfig({ env: {}, ...sources })

function problem(sources: ConfigSources): { message: string; fix: string } {
  try {
    load(sources)
  } catch (error) {
    if (error instanceof Problem) return { message: error.message, fix: error.fix }
    throw error
  }
  return { message: 'nothing was refused', fix: '' }
}

const PRODUCTION = {
  TREFOIL_PROFILE: 'production',
  TREFOIL_TLS_CERT: '/tls/cert.pem',
  TREFOIL_TLS_KEY: '/tls/key.pem',
  TREFOIL_ROOT_KEY_TYPE: 'passphrase',
  TREFOIL_ROOT_KEY_PASSPHRASE_ENV: 'TREFOIL_PASSPHRASE',
}
const HSM = { name: 'a', library: '/lib/p11.so', tokenLabel: 't', pin: { env: 'TREFOIL_PIN_A' } }

t.test('the dev profile needs no settings', async (t) => {
  const config = load({})
  t.match(config, {
    profile: 'dev',
    listeners: [
      { address: '127.0.0.1', port: 7400, loopback: true, tls: undefined },
      { address: '127.0.0.1', port: 7443, loopback: true, tls: { certificate: 'local', minVersion: 'TLSv1.2' } },
    ],
    auth: { aws: 'off', azure: 'off', gcp: 'off' },
    rootKey: { type: 'file' },
    realm: { aws: { account: '000000000000', region: 'us-east-1' }, gcp: { project: 'local', location: 'global' } },
    vaultDomain: 'vault.localhost',
    defaultBackend: 'software',
  })
  t.throws(() => Object.assign(config.realm.aws, { region: 'x' }), TypeError, 'frozen')
  t.throws(() => (config.listeners as unknown[]).push({}), TypeError, 'frozen')
})

t.test('rings have what they are set to, and defaults for the rest', async (t) => {
  const rings = [{ name: 'a' }, { name: 'b', hsm: 'a', softDeleteDays: 7, purgeProtection: true, managedHsm: true }]
  const config = load({ env: { TREFOIL_KEY_RINGS: JSON.stringify(rings), TREFOIL_HSM: JSON.stringify([HSM]) } })
  t.same(config.rings, [
    { name: 'a', recoverableDays: 90, purgeProtected: false, managedHsm: false },
    { name: 'b', recoverableDays: 7, purgeProtected: true, managedHsm: true, hsmBackend: 'pkcs11:a' },
  ])
})

t.test('options go over variables, variables over the file', async (t) => {
  const file = write(
    'order.yaml',
    'port: 1\ntlsPort: 2\nvaultDomain: kv.test\ndataDir: data\nlog: { level: warn, format: json }\n',
  )
  const env = { TREFOIL_PORT: '3', TREFOIL_TLS_PORT: '4', TREFOIL_LOG_LEVEL: 'debug', TREFOIL_VAULT_DOMAIN: '' }
  const config = load({ file, env, overrides: { tlsPort: 5 } })
  t.same(
    config.listeners.map(({ port }) => port),
    [3, 5],
  )
  t.same(config.log, { level: 'debug', format: 'json' }, 'groups are merged')
  t.equal(config.vaultDomain, 'kv.test', 'an empty variable counts as unset')
  t.equal(config.dataDir, join(directory, 'data'), 'relative to the file')
  t.equal(load({ env: { TREFOIL_CONFIG: file } }).listeners[0]?.port, 1)
})

t.test('every setting has a variable', async (t) => {
  const names = variableNames()
  for (const name of [
    'TREFOIL_DATA_DIR',
    'TREFOIL_AUTH_AZURE',
    'TREFOIL_REALM_AWS_ACCOUNT',
    'TREFOIL_LIMITS_BODY_BYTES',
    'TREFOIL_HSM',
  ]) {
    t.ok(names.includes(name), name)
  }
  const listeners = '[{"address":"127.0.0.1","port":1,"tls":{}},{"port":0,"dialects":["gcp"]}]'
  t.match(load({ env: { TREFOIL_LISTENERS: listeners } }).listeners, [
    { port: 1, tls: { certificate: 'local' } },
    { port: 0, dialects: ['gcp'] },
  ])
  const kubernetes = {
    TREFOIL_PORT: 'tcp://10.0.0.1:7400',
    TREFOIL_SERVICE_HOST: '10.0.0.1',
    TREFOIL_PORT_7400_TCP_ADDR: '10.0.0.1',
    TREFOIL_SERVICE_PORT_HTTPS: '7443',
  }
  t.equal(load({ env: kubernetes }).listeners[0]?.port, 7400, 'what Kubernetes sets beside a service of this name')
  t.same(fromEnvironment({ HOME: '/', AWS_REGION: 'x' }, new Set()), {})
})

t.test('unknown names are refused with the nearest known one', async (t) => {
  const cases: readonly [ConfigSources, string, string][] = [
    [{ env: { TREFOIL_PROT: '1' } }, 'TREFOIL_PROT', 'TREFOIL_PORT'],
    [{ env: { TREFOIL_DATADIR: '/x' } }, 'TREFOIL_DATADIR', 'TREFOIL_DATA_DIR'],
    [{ file: write('a.yaml', 'listner: []') }, 'listner', 'listeners'],
    [{ file: write('b.yaml', 'auth: { azur: off }') }, 'auth.azur', 'auth.azure'],
    [{ file: write('c.yaml', 'realm: { aws: { acount: "000000000000" } }') }, 'realm.aws.acount', 'realm.aws.account'],
    [{ file: write('d.yaml', 'listeners: [{ prt: 1 }]') }, 'listeners[0].prt', 'listeners[0].port'],
    [{ env: { TREFOIL_HSM: JSON.stringify([{ ...HSM, label: 'x' }]) } }, 'hsm[0].label', 'tokenLabel'],
    [{ overrides: { tlsport: 1 } }, 'tlsport', 'tlsPort'],
  ]
  for (const [sources, name, meant] of cases) {
    const { message, fix } = problem(sources)
    t.match(message, name)
    t.match(fix, meant, `${name}: ${fix}`)
  }
  t.match(problem({ overrides: { zzzzzzzz: 1 } }).fix, 'known here: profile, dataDir')
  t.equal(nearest('production', ['dev', 'production']), 'production')
  t.equal(nearest('prod', ['dev', 'production']), 'production')
  t.equal(nearest('something else', ['dev', 'production']), undefined)
})

t.test('malformed values are named with what they should be', async (t) => {
  const cases: readonly [Record<string, string>, string | RegExp][] = [
    [{ TREFOIL_PORT: 'http' }, /port must be a whole number from 0 to 65535, not "http"/],
    [{ TREFOIL_PORT: '70000' }, 'port must be'],
    [{ TREFOIL_PORT: '1.5' }, 'port must be'],
    [{ TREFOIL_PROFILE: 'prod' }, 'profile must be one of dev, production'],
    [{ TREFOIL_REALM_AWS_ACCOUNT: '12' }, 'a 12-digit account number'],
    [{ TREFOIL_PUBLIC_URL: 'https://user:pw@kms.test' }, 'publicUrl must be'],
    [{ TREFOIL_PUBLIC_URL: 'https://kms.test/path' }, 'publicUrl must be'],
    [{ TREFOIL_VAULT_DOMAIN: 'Vault_1' }, 'vaultDomain must be'],
    [{ TREFOIL_LISTENERS: '[' }, 'TREFOIL_LISTENERS is not a list'],
    [{ TREFOIL_LISTENERS: '{}' }, 'listeners must be a list'],
    [{ TREFOIL_LOG_LEVEL: 'loud' }, 'log.level must be one of'],
    [{ AWS_REGION: 'Not A Region' }, 'AWS_REGION'],
  ]
  for (const [env, message] of cases) t.match(problem({ env }).message, message)
  t.match(problem({ file: write('bad.yaml', 'port: 1\n"x\n') }).message, /line 2/)
  t.match(problem({ file: write('twice.yaml', 'port: 1\nport: 2\n') }).message, /line 2/)
  t.match(problem({ file: write('list.yaml', '- a\n') }).message, 'not a group of settings')
  t.match(problem({ file: join(directory, 'nowhere.yaml') }).message, 'cannot be read')
  t.equal(load({ file: write('empty.yaml', '') }).profile, 'dev')
})

t.test('what contradicts itself is refused', async (t) => {
  const hsm = (...entries: unknown[]) => ({ TREFOIL_HSM: JSON.stringify(entries) })
  const proxied = (more: object) => ({
    TREFOIL_LISTENERS: JSON.stringify([{ port: 2, behindProxy: true, ...more }]),
  })
  const rings = (...entries: unknown[]) => ({ TREFOIL_KEY_RINGS: JSON.stringify(entries) })
  const cases: readonly [Record<string, string>, string, string][] = [
    [
      { TREFOIL_HOST: '0.0.0.0' },
      'auth.aws is off, but other machines can reach the listener 0.0.0.0:7400',
      '127.0.0.1',
    ],
    [{ TREFOIL_HOST: '::' }, '[::]:7400', 'set auth.aws to enforce'],
    [
      {
        TREFOIL_HOST: '::',
        TREFOIL_AUTH_AWS: 'permissive',
        TREFOIL_AUTH_AZURE: 'enforce',
        TREFOIL_AUTH_GCP: 'enforce',
      },
      'auth.aws is permissive',
      'set auth.aws to enforce',
    ],
    [{ TREFOIL_LISTENERS: '[{ port: 7400, behindProxy: true }]' }, '127.0.0.1:7400', 'behindProxy'],
    [
      { TREFOIL_HOST: '0.0.0.0', TREFOIL_AUTH_AWS: 'enforce', TREFOIL_AUTH_GCP: 'enforce' },
      'auth.azure is off',
      'auth.azure',
    ],
    [{ TREFOIL_PROFILE: 'production' }, 'tls has no certificate', 'tls.cert'],
    [{ ...PRODUCTION, TREFOIL_ROOT_KEY_TYPE: 'file' }, 'root key in a file', 'passphrase'],
    [{ ...PRODUCTION, TREFOIL_PORT: '80' }, 'no plain port', 'behindProxy'],
    [{ ...PRODUCTION, TREFOIL_LISTENERS: '[{"port":80}]' }, 'listeners[0] has no tls', 'behindProxy'],
    [{ ...PRODUCTION, TREFOIL_AUTH_AWS: 'off' }, 'auth.aws is off', 'enforce'],
    [{ TREFOIL_PORT: '1', TREFOIL_LISTENERS: '[{"port":2}]' }, 'port and listeners are both set', 'remove port'],
    [
      { TREFOIL_LISTENERS: '[{"port":2,"trustedProxies":["::1"]}]' },
      'trustedProxies and no proxy',
      'behindProxy: true',
    ],
    [proxied({ trustedProxies: ['10.0.0.0/33'] }), '10.0.0.0/33 is no range of addresses', '192.0.2.0/24'],
    [proxied({ trustedProxies: ['1.2.3'] }), '1.2.3 is no range of addresses', '192.0.2.0/24'],
    [proxied({ forwardedHeaders: 'forwarded' }), 'forwardedHeaders says how proxies speak', 'trustedProxies'],
    [proxied({ clientCertificate: { header: 'A', ca: '/ca' } }), 'clientCertificate says how', 'trustedProxies'],
    [{ TREFOIL_PORT: '7443' }, 'two listeners want 127.0.0.1:7443', 'another port'],
    [{ TREFOIL_TLS_CERT: '/cert' }, 'only one of cert and key', 'tls.key'],
    [{ TREFOIL_DEFAULT_BACKEND: 'pkcs11:b', ...hsm(HSM) }, 'pkcs11:b does not exist', 'pkcs11:a'],
    [{ TREFOIL_KEY_RINGS: '[{"name":"r","hsm":"b"}]', ...hsm(HSM) }, 'keyRings[0].hsm (b) is not', 'one of: a'],
    [
      { TREFOIL_KEY_RINGS: '[{"name":"r","hsm":"a"},{"name":"r","hsm":"a"}]', ...hsm(HSM) },
      'two keyRings entries are named r',
      'remove one',
    ],
    [hsm(HSM, HSM), 'two hsm entries are named a', 'another name'],
    [hsm({ ...HSM, tokenLabel: undefined }), 'does not say which token', 'tokenLabel'],
    [hsm({ ...HSM, standby: {} }), 'hsm[0].standby does not say which token', 'serial'],
    [hsm({ ...HSM, pin: {} }), 'hsm[0].pin says nothing', 'hsm[0].pin.env'],
    [hsm({ ...HSM, pin: { env: 'A', file: '/b' } }), 'more than one source', 'exactly one'],
    [{ TREFOIL_ROOT_KEY_TYPE: 'passphrase' }, 'rootKey.passphrase says nothing', 'rootKey.passphrase.env'],
    [rings({ name: 'a' }, { name: 'a' }), 'two keyRings entries are named a', 'remove one'],
    [rings({ name: 'a', softDeleteDays: 6 }), 'keyRings[0].softDeleteDays', '7'],
    [rings({ name: 'a', softDeleteDays: 91 }), 'keyRings[0].softDeleteDays', '90'],
    [{ TREFOIL_PREVIOUS_ROOT_KEY_TYPE: 'passphrase' }, 'previousRootKey.passphrase says nothing', 'passphrase.env'],
    [{ TREFOIL_ROOT_KEY_ESCROW_PATH: '/e' }, 'rootKey.escrow is for root keys in a token', 'rootKey.type'],
    [
      { TREFOIL_ROOT_KEY_TYPE: 'pkcs11', TREFOIL_ROOT_KEY_ESCROW_PATH: '/e', ...hsm(HSM) },
      'rootKey.escrow.publicKeys says nothing',
      'PEM files',
    ],
    [{ TREFOIL_ROOT_KEY_TYPE: 'pkcs11' }, 'rootKey.hsm', 'no hsm entry'],
    [{ TREFOIL_ROOT_KEY_TYPE: 'pkcs11', TREFOIL_ROOT_KEY_HSM: 'b', ...hsm(HSM) }, 'rootKey.hsm', 'a'],
  ]
  for (const [env, message, fix] of cases) {
    const found = problem({ env })
    t.ok(found.message.includes(message), `${message}: ${found.message}`)
    t.ok(found.fix.includes(fix), `${fix}: ${found.fix}`)
  }
  const production = load({ env: PRODUCTION })
  t.match(production, {
    listeners: [{ address: '0.0.0.0', port: 7443, loopback: false }],
    auth: { aws: 'enforce' },
    log: { format: 'json' },
  })
  t.ok(load({ env: { ...PRODUCTION, TREFOIL_LISTENERS: '[{"port":80,"behindProxy":true}]' } }))
})

t.test('dev takes over what the clouds’ own tools are set to', async (t) => {
  const env = { AWS_DEFAULT_REGION: 'eu-west-1', AWS_ACCOUNT_ID: '123456789012', CLOUDSDK_CORE_PROJECT: 'my-project' }
  t.match(load({ env }).realm, {
    aws: { account: '123456789012', region: 'eu-west-1' },
    gcp: { project: 'my-project' },
  })
  t.equal(load({ env: { ...env, AWS_REGION: 'eu-west-2' } }).realm.aws.region, 'eu-west-2')
  t.equal(load({ env: { ...env, TREFOIL_REALM_AWS_REGION: 'eu-west-3' } }).realm.aws.region, 'eu-west-3')
  t.equal(load({ env: { ...env, ...PRODUCTION } }).realm.aws.region, 'us-east-1', 'not in production')
})

t.test('secrets come from where the configuration points, and are in none of its forms', async (t) => {
  const hsm = { TREFOIL_HSM: JSON.stringify([HSM]), TREFOIL_PIN_A: 'pin-0815' }
  const config = load({
    env: { ...hsm, ...PRODUCTION, TREFOIL_PASSPHRASE: 'passphrase-0815', OTHER: 'x', VENDOR_CONF: '/etc/v' },
  })
  t.notMatch(JSON.stringify(redactedConfig(config)), '0815')
  t.match(JSON.stringify(redactedConfig(config)), 'TREFOIL_PIN_A')
  const misplaced = problem({ env: { TREFOIL_HSM: JSON.stringify([{ ...HSM, pin: 'pin-0815' }]) } })
  t.match(misplaced.message, 'hsm[0].pin must be')
  t.notMatch(JSON.stringify(misplaced), '0815', 'not even in the error')
  t.notMatch(
    JSON.stringify(problem({ env: { TREFOIL_HSM: JSON.stringify([{ ...HSM, pin: { env: 'pin 0815' } }]) } })),
    '0815',
  )
  const given = hsmEnvironment(config, { ...hsm, AWS_SECRET_ACCESS_KEY: 's', VENDOR_CONF: '/etc/v', PATH: '/bin' })
  t.same(given, { VENDOR_CONF: '/etc/v', PATH: '/bin' }, 'nor does a vendor’s library see them')

  const text = (source: Parameters<typeof readSecret>[0], env = {}): string =>
    readSecret(source, 'the PIN', env).use((bytes) => Buffer.from(bytes).toString())
  t.equal(text({ env: 'A' }, { A: 'geheim' }), 'geheim')
  t.equal(text({ file: write('pin', 'geheim\r\n') }), 'geheim', 'one line break is not part of it')
  t.equal(text({ file: write('pin', ' geheim \n\n') }), ' geheim \n')
  t.equal(text({ fd: openSync(write('pin', 'geheim'), 'r') }), 'geheim')
  for (const source of [
    { env: 'A' },
    { file: join(directory, 'none') },
    { file: write('nothing', '\n') },
    { fd: 999 },
  ]) {
    t.throws(() => text(source), { message: /^the PIN (is missing|cannot be read)/ }, JSON.stringify(source))
  }
  t.equal(`${readSecret({ env: 'A' }, 'the PIN', { A: 'geheim' })}`, '[secret]')
})

t.test('principals', (t) => {
  const load = (principals: unknown, env: Record<string, string> = {}) =>
    loadConfig({ env: { ...env, TREFOIL_AWS_PRINCIPALS: JSON.stringify(principals) } }).aws.principals
  const key = { id: 'AKIAIOSFODNN7EXAMPLE', secret: { env: 'TREFOIL_APP_SECRET' } }
  const policies = [{ Statement: { Effect: 'Allow', Action: '*', Resource: '*' } }]
  const trust = { Statement: { Effect: 'Allow', Principal: '*', Action: 'sts:AssumeRole' } }
  const [app] = load([{ name: 'app', accessKeys: [key], policies, tags: { env: 'prod' } }], { TREFOIL_APP_SECRET: 'x' })
  t.match(app, {
    principal: {
      id: /^AIDA/,
      kind: 'user',
      account: '000000000000',
      name: 'app',
      policies: [JSON.stringify(policies[0])],
    },
    accessKeys: [key],
  })
  t.match(load([{ kind: 'root', account: '111122223333' }])[0]?.principal, { id: '111122223333', name: 'root' })
  t.match(load([{ name: 'storage', service: 's3' }])[0]?.principal, { name: 'storage', service: 's3' })
  const problem = (principals: unknown): string => {
    try {
      load(principals)
      return 'none'
    } catch (error) {
      return (error as Error).message
    }
  }
  t.equal(problem([{}]), 'aws.principals[0] has no name')
  t.match(problem([{ name: 'a', service: 'S3.amazonaws.com' }]), /service.* must be the name of a service/)
  t.equal(problem([{ kind: 'root', name: 'x' }]), 'aws.principals[0] is the root of its account and has a name')
  t.match(problem([{ name: 'a' }, { name: 'A' }]), /^aws.principals has arn:aws:iam::000000000000:user\/a twice/)
  t.match(
    problem([
      { name: 'a', accessKeys: [key] },
      { name: 'b', accessKeys: [key] },
    ]),
    /AKIAIOSFODNN7EXAMPLE twice/,
  )
  t.equal(problem([{ kind: 'role', name: 'r' }]), 'aws.principals[0].trust: a role needs a trust policy')
  t.match(problem([{ kind: 'role', name: 'r', trust, accessKeys: [key] }]), /is a role and has access keys/)
  const shown = problem([{ name: 'a', accessKeys: [{ id: key.id, secret: 'hunter2hunter2' }] }])
  t.match(shown, /accessKeys\[0\]\.secret must be/)
  t.notMatch(shown, /hunter2/)
  t.match(problem([{ name: 'a', accessKeys: [{ id: key.id, secret: {} }] }]), /secret says nothing/)
  t.end()
})
