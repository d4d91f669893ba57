/** Every IAM policy, in memory: requests are decided on without a read. Filled at the start, kept up with commits. */
import { rowsOf } from '../../all-rows.ts'
import type { Store, Write } from '../../ports.ts'
import type { IamPolicy } from './policy.ts'
import { permissionsOf } from './roles.ts'

/** The roles' permissions by member. */
type Compiled = ReadonlyMap<string, readonly ReadonlySet<string>[]>

function compile({ bindings }: IamPolicy): Compiled {
  const byMember = new Map<string, ReadonlySet<string>[]>()
  for (const { role, members } of bindings) {
    const permissions = permissionsOf(role)
    if (permissions === undefined) continue
    for (const member of members) {
      const known = byMember.get(member)
      if (known === undefined) byMember.set(member, [permissions])
      else known.push(permissions)
    }
  }
  return byMember
}

export class PolicyBook {
  readonly #store: Pick<Store, 'page'>
  readonly #policies = new Map<string, Compiled>()

  constructor(store: Pick<Store, 'page'>) {
    this.#store = store
  }

  async start(): Promise<void> {
    for await (const row of rowsOf(this.#store, 'iamPolicies', 'all')) this.#policies.set(row.id, compile(row))
  }

  /** Of each commit, before it is answered: what was taken away is gone with it. */
  committed(writes: readonly Write[]): void {
    for (const write of writes) {
      if (write.collection !== 'iamPolicies') continue
      if (write.kind === 'delete') this.#policies.delete(write.id)
      else this.#policies.set(write.row.id, compile(write.row))
    }
  }

  /** Whether one of the members has a role on the resource that includes the permission. */
  grants(resourceId: string, members: readonly string[], permission: string): boolean {
    const policy = this.#policies.get(resourceId)
    if (policy === undefined) return false
    return members.some((member) => policy.get(member)?.some((permissions) => permissions.has(permission)) === true)
  }
}
