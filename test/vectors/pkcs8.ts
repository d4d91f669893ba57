/** DER of lattice keys. `oid` is the last two octets of NIST's: its arcs of signatures (3) and KEMs (4). */
function tlv(tag: number, ...content: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(content)
  const { length } = body
  const octets = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.of(tag, ...octets), body])
}

const algorithmId = (oid: string): Buffer => Buffer.from(`300b060960864801650304${oid}`, 'hex')

export const pkcs8 = (oid: string, privateKey: Uint8Array): Buffer =>
  tlv(0x30, Buffer.of(2, 1, 0), algorithmId(oid), tlv(0x04, privateKey))
/** RFC 9881 section 6, RFC 9935 section 6. */
export const seedPkcs8 = (oid: string, seed: Uint8Array): Buffer => pkcs8(oid, tlv(0x80, seed))
export const expandedPkcs8 = (oid: string, key: Uint8Array): Buffer => pkcs8(oid, tlv(0x04, key))
export const spkiOf = (oid: string, publicKey: Uint8Array): Buffer =>
  tlv(0x30, algorithmId(oid), tlv(0x03, Buffer.of(0), publicKey))
