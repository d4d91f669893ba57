import t from 'tap'
import { loadConfig } from '../../src/config.ts'

const load = (exports: unknown, more: Record<string, unknown> = {}) =>
  loadConfig({ env: {}, overrides: { audit: { exports }, ...more } }).audit.exports

t.test('what is left out, and what is no sink', async (t) => {
  t.same(load([]), [])
  t.same(load([{ name: 'siem', syslog: { host: 'siem', port: 6514 } }]), [
    { name: 'siem', syslog: { host: 'siem', port: 6514, transport: 'tls', framing: 'octet-counting' } },
  ])
  t.same(load([{ name: 'copy', file: { path: '/var/log/audit' } }]), [
    { name: 'copy', file: { path: '/var/log/audit' } },
  ])
  const http = { url: 'https://siem/audit', token: { env: 'SIEM_TOKEN' }, ca: '/ca.pem' }
  t.same(load([{ name: 'siem', http }]), [{ name: 'siem', http }])
  for (const none of [{ name: 'a' }, { name: 'a', file: { path: 'x' }, http }])
    t.throws(() => load([none]), { message: 'audit.exports[0] has not exactly one of syslog, http and file' })
  const file = { name: 'a', file: { path: 'x' } }
  t.throws(() => load([file, file]), { message: 'two of audit.exports are named a' })
  t.throws(() => load([{ name: 'a', http: { ...http, token: {} } }]), {
    message: 'audit.exports[0].http.token says nothing',
  })
  t.throws(() => load([{ name: 'a', http: { ...http, clientCert: 'c.pem' } }]), {
    message: 'audit.exports[0].http names only one of clientCert and clientKey',
  })
  t.throws(() => load([{ name: 'a', http: { url: 'https://user:hush@siem/' } }]), {
    message: 'the command line: audit.exports[0].http.url must be a URL without a user',
  })
})

t.test('production sends nothing in the clear, but to this machine', async (t) => {
  const refused = (one: object): string => {
    try {
      load([{ name: 'a', ...one }], { profile: 'production' })
      return ''
    } catch (error) {
      return (error as Error).message
    }
  }
  const clear = /in the clear/
  t.match(refused({ syslog: { host: '192.0.2.1', port: 514, transport: 'udp' } }), clear)
  t.match(refused({ http: { url: 'http://192.0.2.1/' } }), clear)
  t.notMatch(refused({ http: { url: 'http://127.0.0.1/' } }), clear)
  t.notMatch(refused({ syslog: { host: '192.0.2.1', port: 6514 } }), clear)
})
