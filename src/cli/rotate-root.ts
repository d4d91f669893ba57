import type { Config } from '../config.ts'
import { rotateRootKey } from '../main.ts'

export async function runRotateRoot(config: Config): Promise<number> {
  const moved = await rotateRootKey(config)
  const done = moved === 0 ? 'everything was under it already' : `${moved} seals were made anew`
  process.stdout.write(`trefoil: the root key is rootKey (${config.rootKey.type}), ${done}; previousRootKey can go\n`)
  return 0
}
