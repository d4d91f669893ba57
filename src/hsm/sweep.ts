/** What a token holds against what the store knows of. */
import { handleOf, type KeyVersion } from '../core/key.ts'
import type { CallContext } from '../core/ports.ts'
import { isMarked, isVersionLabel, isWrappedRef, labelOf, type ObjectRef } from './key-ref.ts'
import type { Pkcs11Backend } from './pkcs11.ts'

export type SweepReport = {
  readonly backend: string
  /** Objects of versions that the store has, whatever backend it has them in. */
  readonly known: number
  /** Made by this installation, and no version of its store has them: a creation or a destruction that was cut short. */
  readonly orphans: readonly ObjectRef[]
  /** Named as Trefoil names them, but not marked as made by this installation: left alone. */
  readonly strangers: readonly ObjectRef[]
  /** Versions that the store has in this backend and the token does not hold. */
  readonly missing: readonly string[]
}

const labelFor = (version: KeyVersion): string => labelOf(handleOf({ id: '' }, version))

/** @throws KmsError backend_unavailable, backend_timeout */
export async function sweepToken(
  backend: Pkcs11Backend,
  installation: string,
  versions: AsyncIterable<KeyVersion>,
  ctx: CallContext,
): Promise<SweepReport> {
  const objects = (await backend.client.call('listKeys', {}, ctx)).filter(({ label }) => isVersionLabel(label))
  const held = new Set(objects.map(({ label }) => label))
  // Another backend's too: an entry of the configuration may have been given another name since.
  const labels = new Set<string>()
  const missing: string[] = []
  for await (const version of versions) {
    const label = labelFor(version)
    labels.add(label)
    if (version.backend === backend.name && !isWrappedRef(version.ref) && !held.has(label)) missing.push(version.id)
  }
  const unknown = objects.filter(({ label }) => !labels.has(label))
  return {
    backend: backend.name,
    known: objects.length - unknown.length,
    orphans: unknown.filter((object) => isMarked(installation, object)),
    strangers: unknown.filter((object) => !isMarked(installation, object)),
    missing,
  }
}
