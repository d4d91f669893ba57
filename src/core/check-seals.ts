/** Opens every seal of a store, so that a backup of it is known to be worth something. */
import { rowsOf } from './all-rows.ts'
import { KmsError } from './error.ts'
import { handleOf } from './key.ts'
import type { CallContext, CryptoBackend, Sealer, Store } from './ports.ts'
import { accessKeyContext } from './principals/directory.ts'
import { RingKeys } from './ring-keys.ts'
import { metaContext } from './seal.ts'
import { openSecret } from './sealed-secret.ts'

export type SealReport = {
  readonly rings: number
  readonly keys: number
  /** Key versions whose seal opened. */
  readonly versions: number
  readonly secrets: number
  readonly accessKeys: number
  /** Key versions whose material lies elsewhere, by their backend: a token, an external key manager. */
  readonly elsewhere: Readonly<Record<string, number>>
  /** What did not open: of each kind, the first few. */
  readonly problems: readonly string[]
}

const MAX_PROBLEMS = 20

class Findings {
  readonly problems: string[] = []

  /** @returns whether it opened */
  async opens(what: string, open: () => Promise<Uint8Array>): Promise<boolean> {
    try {
      ;(await open()).fill(0)
      return true
    } catch (error) {
      if (this.problems.length < MAX_PROBLEMS) this.problems.push(`${what}: ${KmsError.from(error).code}`)
      return false
    }
  }
}

type Parts = {
  readonly store: Store
  readonly sealer: Sealer
  readonly ringKeys: RingKeys
  /** The one whose keys are in the store. */
  readonly software: CryptoBackend
  readonly ctx: CallContext
}

async function checkVersions({ store, software, ctx }: Parts, findings: Findings) {
  const elsewhere: Record<string, number> = {}
  let versions = 0
  for await (const version of rowsOf(store, 'versions', 'number')) {
    if (version.ref.length === 0) continue
    if (version.backend !== software.name) {
      elsewhere[version.backend] = (elsewhere[version.backend] ?? 0) + 1
      continue
    }
    const key = await store.get('keys', version.keyId)
    const opened = await findings.opens(`key ${version.keyId} version ${version.number}`, async () => {
      if (key === undefined || software.portable === undefined) throw new KmsError('internal')
      const secret = await software.portable.exportKey(handleOf({ id: key.ringId }, version), ctx)
      return secret.use((bytes) => bytes)
    })
    if (opened) versions += 1
  }
  return { versions, elsewhere }
}

async function checkSecrets({ store, ringKeys }: Parts, findings: Findings): Promise<number> {
  let secrets = 0
  for await (const { id, secretId, sealed, number } of rowsOf(store, 'secretVersions', 'number')) {
    const opened = await findings.opens(`secret ${secretId} version ${number}`, async () => {
      const secret = await store.get('secrets', secretId)
      if (secret === undefined) throw new KmsError('internal')
      const { ringId } = secret
      return openSecret(await ringKeys.get(ringId), { ringId, secretId, versionId: id }, sealed)
    })
    if (opened) secrets += 1
  }
  return secrets
}

async function checkUnderRoot({ store, sealer, ringKeys }: Parts, findings: Findings) {
  let [rings, accessKeys] = [0, 0]
  for await (const { id, name } of rowsOf(store, 'rings', 'all')) {
    const opened = await findings.opens(`key ring ${name}`, async () => {
      await ringKeys.get(id)
      return new Uint8Array(0)
    })
    if (opened) rings += 1
  }
  for await (const { id, sealedSecret } of rowsOf(store, 'accessKeys', 'all')) {
    if (await findings.opens(`access key ${id}`, () => sealer.unseal(sealedSecret, accessKeyContext(id))))
      accessKeys += 1
  }
  for await (const { id, value } of rowsOf(store, 'meta', 'all')) {
    if (typeof value !== 'string') await findings.opens(id, () => sealer.unseal(value, metaContext(id)))
  }
  return { rings, accessKeys }
}

export async function checkSeals(
  store: Store,
  sealer: Sealer,
  makeSoftware: (ringKeys: RingKeys) => CryptoBackend,
  ctx: CallContext,
): Promise<SealReport> {
  const ringKeys = new RingKeys(store, sealer)
  const software = makeSoftware(ringKeys)
  const findings = new Findings()
  const parts = { store, sealer, ringKeys, software, ctx }
  try {
    const under = await checkUnderRoot(parts, findings)
    const found = await checkVersions(parts, findings)
    const secrets = await checkSecrets(parts, findings)
    const keys = await store.count('keys', 'realm', [])
    return { ...under, keys, ...found, secrets, problems: findings.problems }
  } finally {
    ringKeys.forget()
    await software.close()
  }
}
