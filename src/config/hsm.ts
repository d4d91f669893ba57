/** The tokens, and their clones. */
import { Problem } from '../core/problem.ts'
import type { HsmSettings, SecretSource } from './schema.ts'
import { checkSource } from './source.ts'

export type HsmConfig = {
  readonly name: string
  readonly library: string
  readonly tokenLabel?: string
  readonly serial?: string
  readonly slot?: number
  readonly pin: SecretSource
  /** A clone of the token that takes over. */
  readonly standby?: Omit<HsmConfig, 'standby'>
  readonly libraryParameters?: string
  readonly mlDsa: 'hedged' | 'deterministic'
  readonly sessions: number
  readonly keyStorage: NonNullable<HsmSettings['keyStorage']>
  readonly deadlineMs: number
}

type Choice = Pick<HsmSettings, 'tokenLabel' | 'serial' | 'slot'>

/** @throws Problem unless it says which token */
function resolveChoice({ tokenLabel, serial, slot }: Choice, where: string): Pick<HsmConfig, keyof Choice> {
  if (tokenLabel === undefined && serial === undefined && slot === undefined) {
    throw new Problem(`${where} does not say which token`, 'set its tokenLabel, serial or slot')
  }
  return {
    ...(tokenLabel === undefined ? {} : { tokenLabel }),
    ...(serial === undefined ? {} : { serial }),
    ...(slot === undefined ? {} : { slot }),
  }
}

export function resolveHsm(hsm: HsmSettings, index: number): HsmConfig {
  const { name, library, libraryParameters, pin, standby } = hsm
  const where = `hsm[${index}]`
  const common = {
    name,
    library,
    pin: checkSource(pin, `${where}.pin`),
    mlDsa: hsm.mlDsa ?? 'hedged',
    sessions: hsm.sessions ?? 8,
    keyStorage: hsm.keyStorage ?? 'token',
    deadlineMs: hsm.deadlineMs ?? 10_000,
    ...(libraryParameters === undefined ? {} : { libraryParameters }),
  } as const
  const first = { ...common, ...resolveChoice(hsm, `${where} (${name})`) }
  if (standby === undefined) return first
  const clone = {
    ...common,
    name: `${name} standby`,
    library: standby.library ?? library,
    pin: standby.pin === undefined ? common.pin : checkSource(standby.pin, `${where}.standby.pin`),
    ...resolveChoice(standby, `${where}.standby`),
  }
  return { ...first, standby: clone }
}
