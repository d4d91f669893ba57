import { type Command, command, JSON_OPTION, type Options } from '../command.ts'
import { type PrincipalCommand, runPrincipal } from '../principal.ts'

const NAMING = {
  kind: { value: 'KIND', choices: ['user', 'role', 'root'], help: 'default: user; root has no NAME' },
  account: { value: 'ID', help: 'default: realm.aws.account' },
} as const
const FACTS = {
  policy: { value: 'FILE', multiple: true, help: 'an identity policy; an empty name takes away all' },
  boundary: { value: 'FILE', help: 'a permissions boundary' },
  trust: { value: 'FILE', help: 'who may assume the role' },
  'max-session': { value: 'SECONDS', help: 'longest session of the role' },
  tag: { value: 'KEY=VALUE', multiple: true, help: 'aws:PrincipalTag' },
} as const

function principal(
  what: PrincipalCommand,
  operand: 'NAME' | 'ACCESS_KEY_ID' | undefined,
  summary: string,
  example: string,
  options: Options = operand === 'NAME' ? NAMING : {},
): Command {
  return command({
    name: `principal ${what}`,
    summary,
    ...(operand !== undefined && { operand: { name: operand, required: false } }),
    options: { ...JSON_OPTION, ...options },
    examples: [`trefoil principal ${example}`],
    run: ({ options: given, operand: named, config }) => runPrincipal(config(), what, named, given),
  })
}

export const principals: readonly Command[] = [
  principal(
    'create',
    'NAME',
    'make a user (or a role) of AWS, and an access key for it',
    'create app --policy app.json',
    {
      ...NAMING,
      ...FACTS,
    },
  ),
  principal(
    'update',
    'NAME',
    'change its policies, boundary, trust policy, longest session or tags',
    'update app --policy new.json',
    { ...NAMING, ...FACTS },
  ),
  principal('list', undefined, 'all of them, with their access keys and when these were last used', 'list --json'),
  principal(
    'rotate-key',
    'NAME',
    'make its second access key; the first one stays until it is deleted',
    'rotate-key app',
  ),
  principal('enable-key', 'ACCESS_KEY_ID', 'let an access key in again', 'enable-key AKIAIOSFODNN7EXAMPLE'),
  principal('disable-key', 'ACCESS_KEY_ID', 'refuse an access key from now on', 'disable-key AKIAIOSFODNN7EXAMPLE'),
  principal('delete-key', 'ACCESS_KEY_ID', 'take an access key away', 'delete-key AKIAIOSFODNN7EXAMPLE'),
  principal('delete', 'NAME', 'take it away, with its access keys', 'delete app'),
]
