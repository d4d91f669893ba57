import { runCommand } from '../admin.ts'
import { type Command, command, JSON_OPTION, print, table } from '../command.ts'

type Assignment = {
  readonly id: string
  readonly role: string
  readonly principal: string
  readonly scope: string
  readonly deny?: true
}
type Role = { readonly id: string; readonly name: string }
type Policy = {
  readonly resource: string
  readonly bindings: readonly { readonly role: string; readonly members: readonly string[] }[]
}
type Grants = {
  readonly roleAssignments: readonly Assignment[]
  readonly roleDefinitions: readonly Role[]
  readonly iamPolicies: readonly Policy[]
}

const rowOf = ({ id, role, principal, scope, deny }: Assignment) => [
  id,
  deny === true ? 'deny' : 'allow',
  principal,
  scope,
  role,
]

function listText({ roleAssignments, roleDefinitions, iamPolicies }: Grants): string {
  const bindings = iamPolicies.flatMap(({ resource, bindings: own }) =>
    own.flatMap(({ role, members }) => members.map((member) => [resource, role, member])),
  )
  return [
    table([['ASSIGNMENT', 'EFFECT', 'PRINCIPAL', 'SCOPE', 'ROLE'], ...roleAssignments.map(rowOf)]),
    table([['CUSTOM ROLE', 'NAME'], ...roleDefinitions.map(({ id, name }) => [id, name])]),
    table([['RESOURCE', 'ROLE', 'MEMBER'], ...bindings]),
  ].join('\n')
}

const BINDING = {
  ...JSON_OPTION,
  role: { value: 'ROLE', help: 'roles/cloudkms.…' },
  member: { value: 'MEMBER', help: 'user:…, serviceAccount:…, group:…, principal://…, allUsers' },
} as const

function binding(wire: 'grant bind' | 'grant unbind', summary: string): Command {
  return command({
    name: wire,
    summary,
    operand: { name: 'RESOURCE', required: true },
    options: BINDING,
    examples: [`trefoil ${wire} projects/local --role roles/cloudkms.viewer --member user:ann@example.org`],
    async run({ options: { json, role = '', member = '' }, operand, config }) {
      const policy = (await runCommand(config(), wire, { resource: operand, role, member })) as Policy
      const lines = policy.bindings.flatMap((one) =>
        one.members.map((who) => `${policy.resource}: ${one.role} ${who}\n`),
      )
      return print(json, policy, lines.join(''))
    },
  })
}

export const grants: readonly Command[] = [
  command({
    name: 'grant assign',
    summary: "assign one of Azure's roles, built in or your own",
    operand: { name: 'ROLE', required: true },
    options: {
      ...JSON_OPTION,
      principal: { value: 'ID', help: "an object's id in the tenant (a group's too), or ISSUER#SUBJECT" },
      scope: { value: 'SCOPE', help: '/, /vaults/NAME, /vaults/NAME/keys, /vaults/NAME/keys/KEY, likewise secrets' },
      deny: { help: 'take its data actions away instead, whatever else gives them' },
    },
    examples: [
      'trefoil grant assign "Key Vault Crypto User" --principal 6f9b3a4e-1c1d-4b8e-9d55-0f6f3f0f5a11 --scope /vaults/payments',
    ],
    async run({ options: { json, principal = '', scope = '', deny }, operand, config }) {
      const body = { role: operand, principal, scope, ...(deny === true && { deny }) }
      const made = (await runCommand(config(), 'grant assign', body)) as Assignment
      return print(json, made, table([rowOf(made)]))
    },
  }),
  command({
    name: 'grant unassign',
    summary: 'take a role assignment away',
    operand: { name: 'ASSIGNMENT', required: true },
    options: JSON_OPTION,
    examples: ['trefoil grant unassign 0e0b3d5c-6a0f-4c55-9f0e-5b1f2a3c4d5e'],
    async run({ options, operand, config }) {
      const gone = (await runCommand(config(), 'grant unassign', { id: operand })) as Assignment
      return print(options.json, gone, `${gone.id} unassigned\n`)
    },
  }),
  command({
    name: 'grant define',
    summary: 'make or change a role of your own for Azure',
    operand: { name: 'NAME', required: true },
    options: {
      ...JSON_OPTION,
      'data-action': { value: 'ACTION', multiple: true, help: 'what it gives; * stands for anything' },
      'not-data-action': { value: 'ACTION', multiple: true, help: 'less that' },
    },
    examples: [
      "trefoil grant define Signer --data-action Microsoft.KeyVault/vaults/keys/read --data-action 'Microsoft.KeyVault/vaults/keys/sign/action'",
    ],
    async run({ options, operand, config }) {
      const body = {
        name: operand,
        dataActions: options['data-action'] ?? [],
        notDataActions: options['not-data-action'] ?? [],
      }
      const made = (await runCommand(config(), 'grant define', body)) as Role
      return print(options.json, made, `${made.name} ${made.id}\n`)
    },
  }),
  command({
    name: 'grant undefine',
    summary: 'take away a role of your own that nobody has',
    operand: { name: 'NAME', required: true },
    options: JSON_OPTION,
    examples: ['trefoil grant undefine Signer'],
    async run({ options, operand, config }) {
      const gone = (await runCommand(config(), 'grant undefine', { name: operand })) as Role
      return print(options.json, gone, `${gone.name} undefined\n`)
    },
  }),
  binding('grant bind', "bind one of Google's roles to a member, on a project, key ring or key"),
  binding('grant unbind', 'take a binding away'),
  command({
    name: 'grant list',
    summary: 'role assignments, roles of your own, and IAM policies',
    options: JSON_OPTION,
    examples: ['trefoil grant list --json'],
    async run({ options, config }) {
      const all = (await runCommand(config(), 'grant list', {})) as Grants
      return print(options.json, all, listText(all))
    },
  }),
]
