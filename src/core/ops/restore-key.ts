import { randomUUID } from 'node:crypto'
import { openBackup } from '../backup.ts'
import { KmsError } from '../error.ts'
import type { Key, KeyVersion } from '../key.ts'
import { type Env, type RingInput, type RingTarget, ringOperation } from '../operation.ts'
import type { KeyHandle, Stored, Write } from '../ports.ts'
import { foldName } from '../schema.ts'
import { Secret } from '../secret.ts'
import type { KeyView } from '../view.ts'
import type { KeyBackup } from './backup-key.ts'
import { detached } from './material.ts'

export type RestoreKeyInput = RingInput & { readonly blob: Uint8Array }

async function read(env: Env, target: RingTarget, blob: Uint8Array): Promise<KeyBackup> {
  const payload = await openBackup(env.backupSealer, { kind: 'key', realmId: target.realm.id }, blob)
  try {
    return JSON.parse(payload.toString('utf8')) as KeyBackup
  } finally {
    payload.fill(0)
  }
}

/** @throws KmsError key_exists, key_deleted, name_reserved */
async function checkName(env: Env, { ring }: RingTarget, { key: { name, current }, versions }: KeyBackup) {
  const path = [ring.id, foldName(name)]
  const namesake = await env.store.find('keys', 'name', path)
  if (namesake !== undefined) {
    const version = versions.find(({ number }) => number === current)?.hexId ?? ''
    throw new KmsError(namesake.state === 'pending_deletion' ? 'key_deleted' : 'key_exists', {
      reference: name,
      version,
    })
  }
  const tombstone = await env.store.find('tombstones', 'name', path)
  if (tombstone?.retired) throw new KmsError('name_reserved', { reference: name })
  return tombstone
}

/** Its old id, which ciphertexts and other clouds know it by, unless the key it was made from is still there, or was deleted for good. */
async function keyOf(env: Env, target: RingTarget, backup: KeyBackup, counter: number): Promise<Key> {
  const { key } = backup
  const namesake = (await env.store.get('keys', key.id)) ?? (await env.store.get('tombstones', key.id))
  const taken = namesake !== undefined
  // A key without a name of its own goes by its id, which it can't share.
  if (taken && key.name === key.id) throw new KmsError('key_exists', { reference: key.name })
  return {
    ...key,
    id: taken ? randomUUID() : key.id,
    realmId: target.realm.id,
    ringId: target.ring.id,
    recoverableDays: env.ringSettings(target.ring).recoverableDays,
    versionCounter: Math.max(key.versionCounter, counter),
    updatedAt: env.now,
  }
}

type Restored = { readonly version: KeyVersion; readonly handle: KeyHandle | undefined }

async function versionOf(env: Env, key: Key, saved: KeyBackup['versions'][number]): Promise<Restored> {
  const { material, spki, ...rest } = saved
  const id = (await env.store.get('versions', saved.id)) === undefined ? saved.id : randomUUID()
  const version = { ...rest, id, keyId: key.id, ...(spki && { spki: new Uint8Array(Buffer.from(spki, 'base64')) }) }
  if (material === undefined) return { version: { ...version, ref: new Uint8Array(0) }, handle: undefined }
  const { portable } = env.backends.named(saved.backend)
  if (portable === undefined) throw new KmsError('unsupported_operation', { spec: saved.spec })
  const home = { ringId: key.ringId, versionId: id }
  const secret = new Secret(Buffer.from(material, 'base64'))
  try {
    const ref = await portable.adoptKey(saved.spec, secret, home, env.call)
    return { version: { ...version, ref }, handle: { ...home, spec: saved.spec, ref } }
  } finally {
    secret.wipe()
  }
}

const removal = (tombstone: Stored<{ id: string }> | undefined): readonly Write[] =>
  tombstone === undefined
    ? []
    : [{ kind: 'delete', collection: 'tombstones', id: tombstone.id, revision: tombstone.revision }]

/**
 * Under its own name, with all its versions and their ids, in any ring of the realm it was backed up in.
 * @throws KmsError invalid_backup, key_exists, key_deleted, name_reserved
 */
export const restoreKey = ringOperation<RestoreKeyInput, KeyView>({
  name: 'RestoreKey',
  action: 'restore-key',
  async run(env, target, { blob }) {
    const backup = await read(env, target, blob)
    const tombstone = await checkName(env, target, backup)
    const key = await keyOf(env, target, backup, tombstone?.versionCounter ?? 0)
    const restored = await Promise.all(backup.versions.map((saved) => versionOf(env, key, saved)))
    const current = restored.find(({ version }) => version.number === key.current)?.version
    return {
      output: { ...target, key, current },
      writes: [
        ...removal(tombstone),
        { kind: 'insert', collection: 'keys', row: key },
        ...restored.map(({ version }): Write => ({ kind: 'insert', collection: 'versions', row: version })),
      ],
      subject: { key, ...(current && { version: current }) },
      undo: async () => {
        for (const { version, handle } of restored) {
          if (handle !== undefined) await env.backends.named(version.backend).destroyKey(handle, detached(env.call))
        }
      },
    }
  },
})
