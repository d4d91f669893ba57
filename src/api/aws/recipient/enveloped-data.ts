/** CMS EnvelopedData (RFC 5652 section 6) for one RSA key: RSAES-OAEP with SHA-256 (RFC 8017) and AES-256-CBC. */
import { constants, createCipheriv, createHash, type KeyObject, publicEncrypt, randomBytes } from 'node:crypto'
import {
  ContentInfo,
  EncryptedContent,
  EncryptedContentInfo,
  EnvelopedData,
  KeyTransRecipientInfo,
  RecipientIdentifier,
  RecipientInfo,
  RecipientInfos,
} from '@peculiar/asn1-cms'
import { AsnConvert, OctetString } from '@peculiar/asn1-schema'
import { AlgorithmIdentifier, SubjectKeyIdentifier } from '@peculiar/asn1-x509'

const ID_DATA = '1.2.840.113549.1.7.1'
const ID_ENVELOPED_DATA = '1.2.840.113549.1.7.3'
const ID_RSAES_OAEP = '1.2.840.113549.1.1.7'
const ID_AES256_CBC = '2.16.840.1.101.3.4.1.42'
/** RSAES-OAEP-params: SHA-256, and MGF1 with SHA-256 (RFC 4055 section 4.1). */
const OAEP_SHA256 = '302ba00d300b0609608648016503040201a11a301806092a864886f70d010108300b0609608648016503040201'
/** Of EnvelopedData and of a recipient that is named by its key (RFC 5652 sections 6.1 and 6.2.1). */
const VERSION = 2

/** Its own bytes, not those of the pool that a small Buffer lies in. */
const copy = (bytes: Uint8Array): ArrayBuffer => Uint8Array.from(bytes).buffer

/** The SHA-1 of the key's bits (RFC 5280 section 4.2.1.2): SubjectPublicKeyInfo without its head. */
function keyIdentifier(publicKey: KeyObject): Buffer {
  const pkcs1 = publicKey.export({ type: 'pkcs1', format: 'der' })
  return createHash('sha1').update(pkcs1).digest()
}

const algorithm = (oid: string, parameters: Uint8Array): AlgorithmIdentifier =>
  new AlgorithmIdentifier({ algorithm: oid, parameters: copy(parameters) })

function recipientOf(publicKey: KeyObject, contentKey: Uint8Array): RecipientInfo {
  const padding = { key: publicKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' }
  return new RecipientInfo({
    ktri: new KeyTransRecipientInfo({
      version: VERSION,
      rid: new RecipientIdentifier({ subjectKeyIdentifier: new SubjectKeyIdentifier(copy(keyIdentifier(publicKey))) }),
      keyEncryptionAlgorithm: algorithm(ID_RSAES_OAEP, Buffer.from(OAEP_SHA256, 'hex')),
      encryptedKey: new OctetString(copy(publicEncrypt(padding, contentKey))),
    }),
  })
}

/** DER of a ContentInfo that only the holder of the private key opens. */
export function envelopFor(publicKey: KeyObject, content: Uint8Array): Uint8Array {
  const key = randomBytes(32)
  const iv = randomBytes(16)
  const cipher = createCipheriv('aes-256-cbc', key, iv)
  const encrypted = Buffer.concat([cipher.update(content), cipher.final()])
  const parameters = AsnConvert.serialize(new OctetString(copy(iv)))
  const enveloped = new EnvelopedData({
    version: VERSION,
    recipientInfos: new RecipientInfos([recipientOf(publicKey, key)]),
    encryptedContentInfo: new EncryptedContentInfo({
      contentType: ID_DATA,
      contentEncryptionAlgorithm: algorithm(ID_AES256_CBC, new Uint8Array(parameters)),
      encryptedContent: new EncryptedContent({ value: new OctetString(copy(encrypted)) }),
    }),
  })
  key.fill(0)
  const info = new ContentInfo({ contentType: ID_ENVELOPED_DATA, content: AsnConvert.serialize(enveloped) })
  return new Uint8Array(AsnConvert.serialize(info))
}
