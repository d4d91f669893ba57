/** What the unmodified client of Cloud KMS gets with key files of service accounts, over gRPC and over REST. */
import { KeyManagementServiceClient } from '@google-cloud/kms'

const { PORT = '', RING = '', LOCATION = '' } = process.env
const files = JSON.parse(process.env.KEY_FILES ?? '{}') as Record<string, string>

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work
    return 'succeeded'
  } catch (error) {
    const { code, reason, message } = error as { code?: number; reason?: string; message: string }
    return `${code} ${reason ?? message.slice(0, 120)}`
  }
}

type Options = ConstructorParameters<typeof KeyManagementServiceClient>[0]
const clientOf = (name: string, more: Options = {}) =>
  new KeyManagementServiceClient({
    apiEndpoint: 'localhost',
    port: Number(PORT),
    keyFilename: files[name] ?? '',
    ...more,
  })

async function reportOf(fallback: boolean) {
  const more = fallback ? ({ fallback: true } as const) : {}
  const admin = clientOf('admin', more)
  const cryptoKeyId = fallback ? 'rest' : 'grpc'
  const [{ name }] = await admin.createCryptoKey({
    parent: RING,
    cryptoKeyId,
    cryptoKey: { purpose: 'ENCRYPT_DECRYPT' },
  })
  const key = name ?? ''
  const app = clientOf('app', more)
  const plaintext = Buffer.from('attack at dawn')
  const [{ ciphertext }] = await app.encrypt({ name: key, plaintext })
  const [opened] = await app.decrypt({ name: key, ciphertext: ciphertext ?? '' })
  const [{ permissions }] = await app.testIamPermissions({
    resource: key,
    permissions: ['cloudkms.cryptoKeys.get', 'cloudkms.cryptoKeyVersions.useToEncrypt'],
  } as Parameters<typeof app.testIamPermissions>[0])
  const report = {
    opened: Buffer.from(opened.plaintext as Uint8Array).toString(),
    permissions,
    adminEncrypts: await codeOf(admin.encrypt({ name: key, plaintext })),
    appReads: await codeOf(app.getCryptoKey({ name: key })),
    appMissing: await codeOf(app.getCryptoKey({ name: `${RING}/cryptoKeys/missing` })),
    appElsewhere: await codeOf(app.listKeyRings({ parent: LOCATION })),
    unknown: await codeOf(clientOf('unknown', more).getCryptoKey({ name: key })),
    scoped: await codeOf(
      clientOf('app', { ...more, scopes: ['https://www.googleapis.com/auth/cloud-platform'] }).encrypt({
        name: key,
        plaintext,
      }),
    ),
    otherScope: await codeOf(
      clientOf('app', { ...more, scopes: ['https://www.googleapis.com/auth/drive'] }).encrypt({ name: key, plaintext }),
    ),
  }
  await Promise.all([admin.close(), app.close()])
  return report
}

process.stdout.write(JSON.stringify({ grpc: await reportOf(false), rest: await reportOf(true) }))
process.exit(0)
