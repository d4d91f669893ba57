/** What a ciphertext's parts are bound by, against the specification's own example. */
import { createHash, randomBytes } from 'node:crypto'
import t from 'tap'
import { boundData, decodeMetadata, encodeMetadata, integrityValue } from '../../src/api/xks/metadata.ts'

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')
/** Specification v1.0.3, "Encrypt" and appendix C. */
const EXAMPLE = {
  aad: Buffer.from('cHJvamVjdD1uaWxlLGRlcGFydG1lbnQ9bWFya2V0aW5n', 'base64'),
  metadata: Buffer.from('a2V5X3ZlcnNpb249MQ==', 'base64'),
  iv: Buffer.from('HMrlRw85cAJUd5Ax', 'base64'),
  ciphertext: Buffer.from('ghxkK1txeDNn3q8Y', 'base64'),
  tag: Buffer.from('vBxN2ncH1oEkR8WVXpmyYQ==', 'base64'),
  value: 'qHA/ImC9h5HsLRXqCyPmWgYx7tzyoTplzILbP0fPXsc=',
}
const NONE = new Uint8Array(0)
const parts = { iv: EXAMPLE.iv, sealed: Buffer.concat([EXAMPLE.ciphertext, EXAMPLE.tag]) }

t.test('the integrity value of the example', async (t) => {
  const { aad, metadata, value } = EXAMPLE
  t.equal(integrityValue(aad, metadata, parts).toString('base64'), value)
  t.equal(value, hex('a8703f2260bd8791ec2d15ea0b23e65a0631eedcf2a13a65cc82db3f47cf5ec7').toString('base64'))
  const bare = createHash('sha256')
    .update(Buffer.concat([EXAMPLE.iv, EXAMPLE.ciphertext, EXAMPLE.tag]))
    .digest('hex')
  t.equal(integrityValue(NONE, NONE, parts).toString('hex'), bare, 'what is not there counts for nothing')
})

t.test('the data that is authenticated says how long its parts are', async (t) => {
  const { aad, metadata } = EXAMPLE
  const bound = boundData(aad, metadata).toString('hex')
  t.equal(bound, `0021${aad.toString('hex')}0d${metadata.toString('hex')}`)
  t.equal(boundData(NONE, NONE).toString('hex'), '000000')
  t.equal(boundData(Buffer.alloc(8192), NONE).subarray(0, 2).toString('hex'), '2000')
  t.not(boundData(metadata, NONE).toString('hex'), boundData(NONE, metadata).toString('hex'))
})

t.test('metadata names the version', async (t) => {
  const nonce = randomBytes(16)
  for (const head of [
    { version: 1, nonce: NONE },
    { version: 2 ** 32 - 1, nonce: NONE },
    { version: 1, nonce },
    { version: 2 ** 24 - 1, nonce },
  ]) {
    const encoded = encodeMetadata(head)
    t.ok(encoded.length <= 20)
    const decoded = decodeMetadata(encoded)
    t.equal(decoded.version, head.version)
    t.equal(Buffer.from(decoded.nonce).toString('hex'), Buffer.from(head.nonce).toString('hex'))
  }
  for (const length of [0, 1, 4, 6, 19, 21]) {
    t.throws(() => decodeMetadata(Buffer.alloc(length, 1)), { code: 'invalid_ciphertext' }, `${length} bytes`)
  }
  for (const first of [0, 2, 255]) t.throws(() => decodeMetadata(Buffer.of(first, 0, 0, 0, 1)))
})
