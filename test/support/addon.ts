/** The compiled add-on, built here for whoever runs a test without npm. */
import { execFileSync, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { loadAddon, type NativeAddon } from '../../src/native/addon.ts'

const SETUP = fileURLToPath(new URL('../../scripts/setup.sh', import.meta.url))

function load(): NativeAddon | undefined {
  if (spawnSync('cc', ['--version']).status !== 0) return undefined
  execFileSync('sh', [SETUP, '--native'])
  const { addon, missing } = loadAddon()
  if (addon === undefined) throw new Error(`the native add-on: ${missing}`)
  return addon
}

export const addon = load()
/** For `t.test(name, { skip })`. */
export const addonMissing = addon === undefined ? 'no tool: a C compiler, so there is no native add-on' : false
