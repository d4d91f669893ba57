import { createPublicKey } from 'node:crypto'
import { KmsError } from '../../../../core/error.ts'
import { keyStateError, usesOfVersion, versionStateError } from '../../../../core/key.ts'
import { getVersion } from '../../../../core/ops/get-version.ts'
import type { VersionView } from '../../../../core/view.ts'
import { asked, bind } from '../binding.ts'
import { KINDS } from '../names.ts'
import { PlainBody } from '../schemas.ts'

/** A key that can't do both is none for Managed HSM. */
const USES = ['wrap', 'unwrap'] as const
const KEY_OPS = ['wrapKey', 'unwrapKey']

function publicNumbers(spki: Uint8Array): object {
  const { n, e } = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' }).export({ format: 'jwk' })
  return { n, e }
}

/** @throws KmsError for a key that can't be used now, or not so */
function toOutput({ key, version }: VersionView): object {
  if (key.state !== 'enabled') throw keyStateError(key.state)
  if (version.state !== 'enabled') throw versionStateError(version.state)
  const kind = KINDS[version.spec]
  const uses = usesOfVersion(key, version)
  if (kind === undefined || !USES.every((use) => uses.includes(use))) {
    throw new KmsError('unsupported_operation', { spec: version.spec })
  }
  return {
    key_type: kind.type,
    key_size: kind.size,
    key_ops: KEY_OPS,
    ...(version.spki !== undefined && publicNumbers(version.spki)),
  }
}

export const metadata = bind('metadata', PlainBody, [getVersion], () => asked(getVersion, {}, toOutput))
