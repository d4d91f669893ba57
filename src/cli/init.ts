import type { Config } from '../config.ts'
import { compose } from '../main.ts'

/** Everything that a first start makes, without serving. Again on the same directory it changes nothing. */
export async function runInit(config: Config): Promise<number> {
  const trefoil = await compose(config)
  const rootKey = await trefoil.rootKey().finally(() => trefoil.stop())
  process.stdout.write(`trefoil: ${config.dataDir} is ready, ${rootKey}\n`)
  return 0
}
