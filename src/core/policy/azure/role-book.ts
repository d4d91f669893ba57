/**
 * Every role assignment and custom role, in memory: requests are decided on without a read. Filled at the start, kept up
 * with commits.
 */
import { rowsOf } from '../../all-rows.ts'
import type { AzureIdentity, Store, Write } from '../../ports.ts'
import { foldName } from '../../schema.ts'
import { builtInRole, type Grants, grantsOf, type RoleDefinition } from './roles.ts'

export type RoleAssignment = {
  /** A GUID. */
  readonly id: string
  /** Of the principal, and of the vaults that a scope of `/` means. */
  readonly tenant: string
  /** An object's id in the tenant, a group's among them; or `issuer#subject` of somebody else's. */
  readonly principalId: string
  /** Id of the definition. */
  readonly roleId: string
  /** As parseScope gives it. */
  readonly scope: string
  /** Takes the role's data actions away, whatever else gives them. */
  readonly deny: boolean
  readonly createdAt: number
}

export type Rights = { readonly allow: readonly Grants[]; readonly deny: readonly Grants[] }
/** What somebody has on each scope. */
export type Holdings = ReadonlyMap<string, Rights>

const NOTHING: Rights = { allow: [], deny: [] }

export class RoleBook {
  readonly #store: Pick<Store, 'page'>
  readonly #assignments = new Map<string, RoleAssignment>()
  /** Ids of assignments by tenant and principal. */
  readonly #held = new Map<string, Set<string>>()
  readonly #definitions = new Map<string, RoleDefinition>()
  /** Of callers as long as they are the same object: forgotten as a whole with each change. */
  #holdings = new WeakMap<AzureIdentity, Holdings>()

  constructor(store: Pick<Store, 'page'>) {
    this.#store = store
  }

  async start(): Promise<void> {
    for await (const row of rowsOf(this.#store, 'roleDefinitions', 'name')) this.#definitions.set(row.id, row)
    for await (const row of rowsOf(this.#store, 'roleAssignments', 'holder')) this.#keep(row)
  }

  /** Of each commit, before it is answered: what was taken away is gone with it. */
  committed(writes: readonly Write[]): void {
    for (const write of writes) {
      if (write.collection === 'roleAssignments') {
        const id = write.kind === 'delete' ? write.id : write.row.id
        this.#drop(id)
        if (write.kind !== 'delete') this.#keep(write.row)
      } else if (write.collection === 'roleDefinitions') {
        if (write.kind === 'delete') this.#definitions.delete(write.id)
        else this.#definitions.set(write.row.id, write.row)
      } else continue
      this.#holdings = new WeakMap()
    }
  }

  /** A built-in one or a custom one, by its id or its name. */
  definition(idOrName: string): RoleDefinition | undefined {
    const builtIn = builtInRole(idOrName)
    if (builtIn !== undefined) return builtIn
    const folded = foldName(idOrName)
    return (
      this.#definitions.get(folded) ?? [...this.#definitions.values()].find(({ name }) => foldName(name) === folded)
    )
  }

  holdingsOf(identity: AzureIdentity): Holdings {
    const known = this.#holdings.get(identity)
    if (known !== undefined) return known
    const holdings = this.#collect(identity)
    this.#holdings.set(identity, holdings)
    return holdings
  }

  #collect({ tenant, ids }: AzureIdentity): Holdings {
    const holdings = new Map<string, Rights>()
    for (const principalId of ids) {
      for (const id of this.#held.get(holderName({ tenant, principalId })) ?? []) {
        const assignment = this.#assignments.get(id)
        const definition = assignment && this.definition(assignment.roleId)
        if (assignment === undefined || definition === undefined) continue
        const { allow, deny } = holdings.get(assignment.scope) ?? NOTHING
        const grants = grantsOf(definition)
        holdings.set(
          assignment.scope,
          assignment.deny ? { allow, deny: [...deny, grants] } : { allow: [...allow, grants], deny },
        )
      }
    }
    return holdings
  }

  #keep(assignment: RoleAssignment): void {
    this.#assignments.set(assignment.id, assignment)
    const name = holderName(assignment)
    const held = this.#held.get(name)
    if (held === undefined) this.#held.set(name, new Set([assignment.id]))
    else held.add(assignment.id)
  }

  #drop(id: string): void {
    const assignment = this.#assignments.get(id)
    if (assignment === undefined) return
    this.#assignments.delete(id)
    const name = holderName(assignment)
    const held = this.#held.get(name)
    held?.delete(id)
    if (held?.size === 0) this.#held.delete(name)
  }
}

/** A tenant is a GUID, without spaces. */
const holderName = ({ tenant, principalId }: Pick<RoleAssignment, 'tenant' | 'principalId'>): string =>
  `${tenant} ${principalId}`
