import t from 'tap'
import { RouteTree } from '../../src/api/gcp/http-rule.ts'
import { METHODS } from '../../src/api/gcp/services.ts'
import { RpcError } from '../../src/api/gcp/status.ts'

const LOCATION = '/v1/projects/p/locations/l'
const KEY = `${LOCATION}/keyRings/r/cryptoKeys/k`

const routes = new RouteTree<string>()
for (const { method, rules } of METHODS) for (const rule of rules) routes.add(rule, method.name)

const find = (verb: string, path: string) => {
  const matched = routes.match(verb, path)
  return matched && [matched.target, ...matched.variables.map((variable) => variable.join('='))].join(' ')
}

t.test('paths find their methods', async (t) => {
  const name = 'projects/p/locations/l/keyRings/r/cryptoKeys/k'
  const cases: readonly (readonly [string, string, string])[] = [
    ['GET', '/v1/projects/p/locations', 'ListLocations name=projects/p'],
    ['GET', LOCATION, 'GetLocation name=projects/p/locations/l'],
    ['GET', '/v1/projects/example.com:p/locations/l', 'GetLocation name=projects/example.com:p/locations/l'],
    ['GET', `${LOCATION}/keyRings`, 'ListKeyRings parent=projects/p/locations/l'],
    ['POST', `${LOCATION}/keyRings`, 'CreateKeyRing parent=projects/p/locations/l'],
    ['GET', KEY, `GetCryptoKey name=${name}`],
    ['PATCH', KEY, `UpdateCryptoKey crypto_key.name=${name}`],
    ['DELETE', KEY, `DeleteCryptoKey name=${name}`],
    ['POST', `${KEY}:encrypt`, `Encrypt name=${name}`],
    ['POST', `${KEY}/cryptoKeyVersions/1:encrypt`, `Encrypt name=${name}/cryptoKeyVersions/1`],
    ['POST', `${KEY}:decrypt`, `Decrypt name=${name}`],
    ['POST', `${KEY}/cryptoKeyVersions:import`, `ImportCryptoKeyVersion parent=${name}`],
    ['GET', `${KEY}/cryptoKeyVersions/1/publicKey`, `GetPublicKey name=${name}/cryptoKeyVersions/1`],
    ['POST', `${LOCATION}:generateRandomBytes`, 'GenerateRandomBytes location=projects/p/locations/l'],
    ['GET', `${KEY}:getIamPolicy`, `GetIamPolicy resource=${name}`],
    ['POST', `${KEY}:getIamPolicy`, `GetIamPolicy resource=${name}`],
    ['GET', `${LOCATION}/ekmConfig`, 'GetEkmConfig name=projects/p/locations/l/ekmConfig'],
    ['GET', `${LOCATION}/operations/o`, 'GetOperation name=projects/p/locations/l/operations/o'],
    ['GET', '/v1/folders/f/autokeyConfig', 'GetAutokeyConfig name=folders/f/autokeyConfig'],
    ['GET', '/v1/projects/p/autokeyConfig', 'GetAutokeyConfig name=projects/p/autokeyConfig'],
    ['GET', '/v1/projects/p:showEffectiveAutokeyConfig', 'ShowEffectiveAutokeyConfig parent=projects/p'],
  ]
  for (const [verb, path, expected] of cases) t.equal(find(verb, path), expected, `${verb} ${path}`)
})

t.test('other paths find nothing', async (t) => {
  const cases: readonly (readonly [string, string])[] = [
    ['GET', '/v1'],
    ['GET', '/v1/'],
    ['GET', '/v1/projects//locations'],
    ['GET', '/v1/projects/p/locations/'],
    ['GET', `${KEY}/`],
    ['GET', `${KEY}:encrypt`],
    ['PUT', KEY],
    ['POST', `${KEY}:unknown`],
    ['POST', `${KEY}/cryptoKeyVersions/1:decrypt`],
    ['POST', `${KEY}%3Aencrypt`],
    ['GET', '/v2/projects/p/locations'],
    ['GET', '/v1/projects/p%2Flocations%2Fl'],
    ['GET', '/v1/operations'],
  ]
  for (const [verb, path] of cases) t.equal(find(verb, path), undefined, `${verb} ${path}`)
})

t.test('variables are decoded after matching, and separate nothing', async (t) => {
  t.equal(find('GET', '/v1/projects/%70/locations'), 'ListLocations name=projects/p')
  t.equal(find('GET', '/v1/projects/a%2Fb/locations'), 'ListLocations name=projects/a%2Fb')
  t.equal(find('GET', '/v1/projects/a%252Fb/locations'), 'ListLocations name=projects/a%2Fb')
  t.equal(find('POST', `${KEY}%3A1:encrypt`), 'Encrypt name=projects/p/locations/l/keyRings/r/cryptoKeys/k:1')
  t.equal(find('GET', '/v1/projects/caf%C3%A9/locations'), 'ListLocations name=projects/café')
  for (const broken of ['%', '%zz', '%C3', '%ff']) {
    t.throws(() => find('GET', `/v1/projects/${broken}/locations`), RpcError, broken)
  }
})

t.test('every exposed method has a route, and no two share one', async (t) => {
  t.equal(METHODS.length, 63)
  for (const { method, rules } of METHODS) t.ok(rules.length > 0, method.name)
})
