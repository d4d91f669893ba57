import { randomBytes, randomUUID } from 'node:crypto'
import { KmsError } from '../error.ts'
import { type Env, type RingInput, type RingTarget, ringOperation } from '../operation.ts'
import type { Write } from '../ports.ts'
import { foldName, sortable } from '../schema.ts'
import { sealSecret } from '../sealed-secret.ts'
import type { Secret } from '../secret.ts'
import type { SecretAttributes, SecretVersion, StoredSecret } from '../stored-secret.ts'
import type { SecretView } from '../view.ts'
import { unrevised } from './all-versions.ts'
import { dialectOf } from './material.ts'

export type SetSecretInput = RingInput & {
  readonly name: string
  readonly value: Secret
  readonly attributes: SecretAttributes
}

async function newVersion(
  env: Env,
  ringId: string,
  place: { readonly secretId: string; readonly number: number },
  input: SetSecretInput,
): Promise<SecretVersion> {
  const id = randomUUID()
  const home = { ringId, secretId: place.secretId, versionId: id }
  const ringKey = await env.ringKeys.get(ringId)
  return {
    ...input.attributes,
    ...place,
    id,
    hexId: randomBytes(16).toString('hex'),
    sealed: input.value.use((bytes) => sealSecret(ringKey, home, bytes)),
    createdAt: env.now,
    updatedAt: env.now,
  }
}

const newSecret = (env: Env, target: RingTarget, name: string): StoredSecret => ({
  id: randomUUID(),
  realmId: target.realm.id,
  ringId: target.ring.id,
  name,
  createdBy: dialectOf(env),
  createdAt: env.now,
  updatedAt: env.now,
  current: 1,
  recoverableDays: env.ringSettings(target.ring).recoverableDays,
})

/** The secret that has the name. @throws KmsError secret_deleted while it waits to be purged */
export async function findNamesake(env: Env, target: RingTarget, name: string) {
  const found = await env.store.find('secrets', 'name', [target.ring.id, foldName(name)])
  if (found?.deletion !== undefined) throw new KmsError('secret_deleted', { reference: name })
  return found
}

/**
 * A new secret, or a new current version of the one that has the name.
 * @throws KmsError secret_deleted
 */
export const setSecret = ringOperation<SetSecretInput, SecretView>({
  name: 'SetSecret',
  action: 'set-secret',
  existing: ({ name }) => ({ secret: name }),
  async run(env, target, input) {
    const known = await findNamesake(env, target, input.name)
    const last = known && (await env.store.find('secretVersions', 'number', [known.id, sortable(known.current)]))
    if (known !== undefined && last === undefined) throw new KmsError('internal')
    const number = (known?.current ?? 0) + 1
    const secret =
      known === undefined
        ? newSecret(env, target, input.name)
        : { ...unrevised(known), current: number, updatedAt: env.now }
    const version = await newVersion(env, target.ring.id, { secretId: secret.id, number }, input)
    const write: Write =
      known === undefined
        ? { kind: 'insert', collection: 'secrets', row: secret }
        : { kind: 'update', collection: 'secrets', row: secret, revision: known.revision }
    return {
      output: { ...target, secret, secretVersion: version },
      writes: [write, { kind: 'insert', collection: 'secretVersions', row: version }],
      subject: { secret, secretVersion: version },
    }
  },
})
