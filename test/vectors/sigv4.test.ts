/** The 38 published cases of Signature Version 4, in both forms, and each of them with something changed. */
import { readFileSync } from 'node:fs'
import t from 'tap'
import { type Claim, type ClaimRules, readClaim, type SignedHead } from '../../src/api/sigv4/claim.ts'
import { SignatureFault } from '../../src/api/sigv4/fault.ts'
import { SignatureVerifier, secretKeyOf } from '../../src/api/sigv4/verify.ts'

type Form = { readonly request: string; readonly canonical: string }
type Case = {
  readonly name: string
  readonly normalize: boolean
  readonly tokenAfterSigning: boolean
  readonly header: Form
  readonly query: Form
}

const { cases } = JSON.parse(readFileSync(new URL('data/sigv4/v4.json', import.meta.url), 'utf8')) as {
  cases: readonly Case[]
}
const secret = secretKeyOf(Buffer.from('wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'))
const NOW = Date.UTC(2015, 7, 30, 12, 36)
const MINUTE = 60_000

const rulesOf = ({ normalize, tokenAfterSigning }: Case): ClaimRules => ({
  services: ['service'],
  region: 'us-east-1',
  mustSign: () => false,
  normalizePath: normalize,
  tokenAfterSigning,
  skewMs: 5 * MINUTE,
})

/** One character a byte, as Node's parser hands a head out. The files' paths hold spaces, which no parser would take. */
function parse(text: string): { head: SignedHead; body: Buffer } {
  const bytes = Buffer.from(text).toString('latin1')
  const [top = '', ...rest] = bytes.split('\n\n')
  const [, method = '', url = '', lines = ''] = /^(\S+) (.*) HTTP\/1\.1\n?([\s\S]*)$/.exec(top) ?? []
  const rawHeaders = lines
    .split(/\n(?! )/)
    .filter((line) => line !== '')
    .flatMap((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()])
  return { head: { method, url, rawHeaders }, body: Buffer.from(rest.join('\n\n').replace(/\n$/, ''), 'latin1') }
}

const claimOf = (head: SignedHead, rules: ClaimRules, now = NOW): Claim => {
  const claim = readClaim(head, rules, now)
  if (claim === undefined) throw new Error('no signature')
  return claim
}

t.equal(cases.length, 38)
for (const one of cases) {
  for (const form of ['header', 'query'] as const) {
    t.test(`${one.name}, ${form}`, (t) => {
      const { head, body } = parse(one[form].request)
      const rules = rulesOf(one)
      const verifier = new SignatureVerifier()
      const claim = claimOf(head, rules)
      const canonical = Buffer.from(claim.canonicalHead, 'latin1').toString()
      t.equal(canonical, one[form].canonical.slice(0, one[form].canonical.lastIndexOf('\n') + 1))
      t.ok(verifier.verify(claim, 'a', secret, body), 'verifies')
      t.ok(verifier.verify(claim, 'a', secret, body), 'and does so with the cached key')

      t.notOk(verifier.verify(claim, 'a', secretKeyOf(Buffer.from('another')), body), 'another secret')
      t.ok(verifier.verify(claim, 'a', secret, body), 'the secret itself again')
      t.notOk(verifier.verify(claim, 'a', secret, Buffer.concat([body, Buffer.of(0)])), 'another body')
      t.notOk(verifier.verify({ ...claim, signature: claim.signature.toUpperCase() }, 'a', secret, body), 'capitals')
      t.notOk(verifier.verify({ ...claim, signature: claim.signature.slice(1) }, 'a', secret, body), 'too short')
      const changed = (change: Partial<SignedHead>) => claimOf({ ...head, ...change }, rules)
      t.notOk(verifier.verify(changed({ method: 'PUT' }), 'a', secret, body), 'another method')
      const more = `${head.url}${head.url.includes('?') ? '&' : '?'}more=1`
      t.notOk(verifier.verify(changed({ url: more }), 'a', secret, body), 'another parameter')
      const hosts = head.rawHeaders.map((text) => (text === 'example.amazonaws.com' ? 'example.org' : text))
      t.notOk(verifier.verify(changed({ rawHeaders: hosts }), 'a', secret, body), 'another host')
      t.throws(() => claimOf(head, { ...rules, region: 'eu-west-1' }), SignatureFault, 'another region')
      t.throws(() => claimOf(head, { ...rules, services: ['kms'] }), SignatureFault, 'another service')
      const life = form === 'header' ? 5 * MINUTE : 60 * MINUTE
      t.ok(claimOf(head, rules, NOW + life), 'in time')
      t.throws(() => claimOf(head, rules, NOW + life + 1), SignatureFault, 'too late')
      t.ok(claimOf(head, rules, NOW - 5 * MINUTE))
      t.throws(() => claimOf(head, rules, NOW - 5 * MINUTE - 1), SignatureFault, 'too early')
      t.end()
    })
  }
}
