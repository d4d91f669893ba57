import { readSecret, readYaml, type SecretSource } from '../../config.ts'
import { Problem } from '../../core/problem.ts'
import { isRecord } from '../../core/record.ts'
import { runCommand } from '../admin.ts'
import { command, JSON_OPTION, print } from '../command.ts'

type Change = {
  readonly kind: 'create' | 'update' | 'delete' | 'unlisted'
  readonly what: string
  readonly before?: unknown
  readonly after?: unknown
}

const SOURCES: ReadonlySet<string> = new Set(['env', 'file', 'fd'])

/** The declaration says where a secret is; no secret is in it. @throws Problem */
function secretOf(key: unknown, where: string): unknown {
  if (!isRecord(key)) return key
  const { secret } = key
  const named = isRecord(secret) ? Object.keys(secret) : []
  if (!isRecord(secret) || named.length !== 1 || !SOURCES.has(named[0] ?? '')) {
    throw new Problem(
      `${where}.secret does not say where the secret is`,
      'set it to one of { env: NAME }, { file: PATH }, { fd: NUMBER }',
    )
  }
  const bytes = readSecret(secret as SecretSource, `the secret of ${where}`)
  return { ...key, secret: bytes.use((value) => Buffer.from(value).toString('utf8')) }
}

function withSecrets(declared: unknown): unknown {
  if (!isRecord(declared) || !Array.isArray(declared.principals)) return declared
  const principals = declared.principals.map((principal: unknown, at) =>
    isRecord(principal) && Array.isArray(principal.accessKeys)
      ? {
          ...principal,
          accessKeys: principal.accessKeys.map((key, index) => secretOf(key, `principals[${at}].accessKeys[${index}]`)),
        }
      : principal,
  )
  return { ...declared, principals }
}

const SIGNS = { create: '+', update: '~', delete: '-', unlisted: '?' } as const

/** One line a member, of those that are not the same. */
function differences(before: unknown, after: unknown): readonly string[] {
  const [old, next] = [isRecord(before) ? before : {}, isRecord(after) ? after : {}]
  return [...new Set([...Object.keys(old), ...Object.keys(next)])].flatMap((name) => {
    const [was, is] = [JSON.stringify(old[name]), JSON.stringify(next[name])]
    if (was === is) return []
    return [
      ...(was === undefined ? [] : [`    - ${name}: ${was}`]),
      ...(is === undefined ? [] : [`    + ${name}: ${is}`]),
    ]
  })
}

function planText(changes: readonly Change[], dryRun: boolean): string {
  const count = (kind: Change['kind']): number => changes.filter((change) => change.kind === kind).length
  const lines = changes.flatMap(({ kind, what, before, after }) => [
    `${SIGNS[kind]} ${what}${kind === 'unlisted' ? '  (not in the file; --prune takes it away)' : ''}`,
    ...differences(before, after),
  ])
  const [made, changed, taken] = [count('create'), count('update'), count('delete')]
  const words = dryRun
    ? `${made} to create, ${changed} to change, ${taken} to take away`
    : `${made} created, ${changed} changed, ${taken} taken away`
  return [...lines, `${words}, ${count('unlisted')} not in the file`, ''].join('\n')
}

export const apply = command({
  name: 'apply',
  summary: 'make principals, roles, assignments and IAM policies what a file says, all or nothing',
  options: {
    ...JSON_OPTION,
    file: { value: 'FILE', short: 'f', help: 'the declaration, YAML; - is standard input' },
    'dry-run': { help: 'say what would change, and change nothing' },
    prune: { help: 'take away what is not in the file, of the sections that are' },
  },
  examples: ['trefoil apply -f rights.yaml --dry-run', 'trefoil apply -f rights.yaml --prune'],
  async run({ options: { json, file, 'dry-run': dryRun = false, prune = false }, config }) {
    if (file === undefined) throw new Problem('--file is missing', 'name the declaration: trefoil apply -f rights.yaml')
    const declared = withSecrets(readYaml(file === '-' ? 0 : file, file, file))
    if (!isRecord(declared)) throw new Problem(`${file} is no declaration`, 'docs/operations.md shows one')
    const body = { ...declared, ...(prune && { prune }) }
    const { changes } = (await runCommand(config(), dryRun ? 'apply plan' : 'apply', body)) as {
      readonly changes: readonly Change[]
    }
    return print(json, changes, planText(changes, dryRun))
  },
})
