/** `trefoil principal …`: who may call the AWS dialect, and with which access keys. */
import { readFileSync } from 'node:fs'
import type { Config } from '../config.ts'
import { Problem } from '../core/problem.ts'
import { runCommand } from './admin.ts'
import { print } from './command.ts'

export type PrincipalOptions = {
  readonly kind?: string
  readonly account?: string
  readonly policy?: readonly string[]
  readonly boundary?: string
  readonly trust?: string
  readonly 'max-session'?: string
  readonly tag?: readonly string[]
  readonly json?: boolean
}

function readDocument(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new Problem(`${path} cannot be read`, 'check its name and its permissions', { cause: error })
  }
}

function readTag(text: string): readonly [string, string] {
  const equals = text.indexOf('=')
  if (equals < 1) throw new Problem(`--tag ${JSON.stringify(text)} is no tag`, 'write it as --tag key=value')
  return [text.slice(0, equals), text.slice(equals + 1)]
}

/** An empty name takes away what is there. */
const factsOf = (options: PrincipalOptions) => ({
  ...(options.policy !== undefined && { policies: options.policy.filter((path) => path !== '').map(readDocument) }),
  ...(options.boundary !== undefined && { boundary: options.boundary === '' ? null : readDocument(options.boundary) }),
  ...(options.trust !== undefined && { trust: readDocument(options.trust) }),
  ...(options['max-session'] !== undefined && { maxSessionSeconds: Number(options['max-session']) }),
  ...(options.tag !== undefined && { tags: Object.fromEntries(options.tag.filter((tag) => tag !== '').map(readTag)) }),
})

const nameOf = (name: string | undefined, { kind, account }: PrincipalOptions) => ({
  ...(kind !== undefined && { kind }),
  ...(account !== undefined && { account }),
  ...(name !== undefined && { name }),
})

type NewKey = { readonly arn: string; readonly accessKeyId: string; readonly secretAccessKey: string }
type Shown = {
  readonly arn: string
  readonly source: string
  readonly accessKeys: readonly {
    readonly accessKeyId: string
    readonly enabled: boolean
    readonly lastUsed?: { readonly at: string; readonly service: string; readonly region: string }
  }[]
}

const keyText = ({ arn, accessKeyId, secretAccessKey }: NewKey): string =>
  `${arn}\nAWS_ACCESS_KEY_ID=${accessKeyId}\nAWS_SECRET_ACCESS_KEY=${secretAccessKey}\n`

function listText(principals: readonly Shown[]): string {
  if (principals.length === 0) return 'no principals\n'
  const lines = principals.flatMap(({ arn, source, accessKeys }) => [
    source === 'configuration' ? `${arn}  (configuration)` : arn,
    ...accessKeys.map(({ accessKeyId, enabled, lastUsed }) => {
      const use =
        lastUsed === undefined ? 'never used' : `last used ${lastUsed.at} ${lastUsed.service} ${lastUsed.region}`
      return `  ${accessKeyId}  ${enabled ? 'enabled' : 'disabled'}  ${use}`
    }),
  ])
  return `${lines.join('\n')}\n`
}

export type PrincipalCommand =
  | 'create'
  | 'update'
  | 'list'
  | 'delete'
  | 'rotate-key'
  | 'enable-key'
  | 'disable-key'
  | 'delete-key'

export async function runPrincipal(
  config: Config,
  command: PrincipalCommand,
  operand: string | undefined,
  options: PrincipalOptions,
): Promise<number> {
  const run = (name: PrincipalCommand, body: unknown) => runCommand(config, `principal ${name}`, body)
  const name = nameOf(operand, options)
  const show = (value: unknown, text: string): number => print(options.json, value, text)
  switch (command) {
    case 'create': {
      const made = (await run('create', { ...name, ...factsOf(options) })) as Shown
      if (options.kind === 'role') return show(made, `${made.arn}\n`)
      const key = (await run('rotate-key', name)) as NewKey
      return show(key, keyText(key))
    }
    case 'rotate-key': {
      const key = (await run('rotate-key', name)) as NewKey
      return show(key, keyText(key))
    }
    case 'list': {
      const { principals } = (await run('list', {})) as { principals: readonly Shown[] }
      return show(principals, listText(principals))
    }
    case 'update':
    case 'delete': {
      const body = command === 'update' ? { ...name, ...factsOf(options) } : name
      const changed = (await run(command, body)) as Shown
      return show(changed, `${changed.arn} ${command}d\n`)
    }
    case 'enable-key':
    case 'disable-key':
    case 'delete-key': {
      const key = await run(command, { accessKeyId: operand ?? '' })
      return show(key, `${operand} ${command.replace('-key', 'd')}\n`)
    }
  }
}
