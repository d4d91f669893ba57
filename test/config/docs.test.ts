/** docs/operations.md names every setting there is, with the default that is in force. */
import { readFileSync } from 'node:fs'
import { Kind, type TObject, type TSchema } from '@sinclair/typebox'
import t from 'tap'
import { resolve } from '../../src/config/resolve.ts'
import { Settings } from '../../src/config/schema.ts'

const text = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8')
const rowOf = (name: string): string | undefined =>
  text.split('\n').find((line) => line.startsWith('|') && line.split('|')[1]?.includes(`\`${name}\``))

function namesOf(schema: TSchema, path: string): string[] {
  if (schema[Kind] !== 'Object' || path.endsWith('.passphrase')) return [path.slice(1)]
  return Object.entries((schema as TObject).properties).flatMap(([name, child]) => namesOf(child, `${path}.${name}`))
}

t.test('every setting', async (t) => {
  for (const name of namesOf(Settings, '')) t.ok(rowOf(name), name)
})

t.test('defaults', async (t) => {
  const { limits, log, vaultDomain, realm, auth } = resolve({})
  for (const [name, value] of Object.entries(limits))
    t.match(rowOf(`limits.${name}`), ` ${value.toLocaleString('en-US')} `)
  t.match(rowOf('log.level'), `\`${log.level}\`; \`${log.format}\``)
  t.match(rowOf('vaultDomain'), `\`${vaultDomain}\``)
  t.match(rowOf('realm.aws.account'), `\`${realm.aws.account}\`, \`${realm.aws.region}\``)
  t.match(rowOf('realm.gcp.project'), `\`${realm.gcp.project}\`, \`${realm.gcp.location}\``)
  t.match(rowOf('realm.azure.tenant'), `\`${realm.azure.tenant}\``)
  t.match(rowOf('auth.aws'), `\`${auth.aws}\`;`)
})
