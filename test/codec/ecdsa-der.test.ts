import { generateKeyPairSync, sign } from 'node:crypto'
import t from 'tap'
import { derToRaw, rawToDer } from '../../src/api/codec/ecdsa-der.ts'

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')

t.test('OpenSSL’s DER and back', async (t) => {
  for (const [namedCurve, size] of [
    ['prime256v1', 32],
    ['secp384r1', 48],
    ['secp521r1', 66],
  ] as const) {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve })
    const signatures = Array.from({ length: 200 }, (_, i) => sign('sha256', Buffer.of(i), privateKey))
    const wrong = signatures.filter((der) => {
      const raw = derToRaw(der, size)
      return raw?.length !== 2 * size || Buffer.compare(rawToDer(raw), der) !== 0
    })
    t.same(wrong, [], namedCurve)
  }
})

t.test('small numbers, zero, and the sign bit', async (t) => {
  t.same(rawToDer(hex('0001 0080')), hex('3007 020101 02020080'))
  t.same(derToRaw(hex('3007 020101 02020080'), 2), hex('0001 0080'))
  t.same(rawToDer(hex('0000 0000')), hex('3006 020100 020100'))
  t.same(derToRaw(hex('3006 020100 020100'), 2), hex('0000 0000'))
})

t.test('one encoding only', async (t) => {
  const bad = {
    empty: '',
    'no sequence': '3106 020101 020101',
    'too short': '3005 020101 020101',
    'bytes after it': '3006 020101 020101 00',
    'bytes in it': '3007 020101 020101 00',
    'padded integer': '3007 02020001 020101',
    'negative integer': '3006 020181 020101',
    'no digits': '3005 0200 020101',
    'one number': '3003 020101',
    'long form for a short length': '308106 020101 020101',
    'two-byte length': '30820006 020101 020101',
    'indefinite length': '3080 020101 020101 0000',
    'integer past the end': '3006 020101 020401',
    'larger than the field': '3009 0203010000 02020080',
  }
  for (const [what, text] of Object.entries(bad)) t.equal(derToRaw(hex(text), 2), undefined, what)
})
