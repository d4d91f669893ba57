/** Lists that come in pages: what follows the markers one by one is the whole list, each thing once. */
import {
  CreateAliasCommand,
  CreateGrantCommand,
  type CreateGrantCommandInput,
  RotateKeyOnDemandCommand,
} from '@aws-sdk/client-kms'
import type { Test } from 'tap'
import type { OperationName } from '../../../src/api/aws/gen/operations.ts'
import type { Driver } from './drivers.ts'
import type { Request } from './table.ts'
import type { World } from './world.ts'

/** What there is at least, so that there are pages. */
const LEAST = 3
const PRINCIPAL = 'arn:aws:iam::000000000000:user/of-the-pages'

type Listing = {
  readonly operation: OperationName
  /** The member of the answer that is the list. */
  readonly list: string
  request(world: World): Promise<Request>
}

/** One key with several of everything. */
const rich = (world: World): Promise<string> =>
  world.once('a key with several of everything', async () => {
    const Tags = Array.from({ length: LEAST }, (_, index) => ({ TagKey: `k${index}`, TagValue: '' }))
    const KeyId = await world.fresh('symmetric', 'enabled', { Tags })
    const grant: CreateGrantCommandInput = {
      KeyId,
      GranteePrincipal: PRINCIPAL,
      RetiringPrincipal: PRINCIPAL,
      Operations: ['Decrypt'],
    }
    for (let index = 0; index < LEAST; index++) {
      await world.client.send(new CreateAliasCommand({ AliasName: `alias/page-${index}`, TargetKeyId: KeyId }))
      await world.client.send(new CreateGrantCommand(grant))
      await world.client.send(new RotateKeyOnDemandCommand({ KeyId }))
    }
    return KeyId
  })
const ofKey = async (world: World): Promise<Request> => ({ KeyId: await rich(world) })

/** The model's paginators but two: a key has one policy, and key stores are in a file of their own. */
const LISTINGS: readonly Listing[] = [
  { operation: 'ListKeys', list: 'Keys', request: async (world) => rich(world).then(() => ({})) },
  { operation: 'ListAliases', list: 'Aliases', request: ofKey },
  { operation: 'ListGrants', list: 'Grants', request: ofKey },
  { operation: 'ListKeyRotations', list: 'Rotations', request: ofKey },
  { operation: 'ListResourceTags', list: 'Tags', request: ofKey },
  {
    operation: 'ListRetirableGrants',
    list: 'Grants',
    request: async (world) => rich(world).then(() => ({ RetiringPrincipal: PRINCIPAL })),
  },
]

type Page = { readonly items: readonly string[]; readonly next: string | undefined; readonly truncated: boolean }

async function pageOf(driver: Driver, { operation, list }: Listing, request: Request): Promise<Page> {
  const ending = await driver.send(operation, request)
  if (!('output' in ending)) throw new Error(`${operation}: ${JSON.stringify(ending)}`)
  const { [list]: items, NextMarker: next, Truncated: truncated } = ending.output
  return {
    items: (items as readonly unknown[]).map((item) => JSON.stringify(item)),
    next: next as string | undefined,
    truncated: truncated === true,
  }
}

export async function runPages(t: Test, world: World, driver: Driver): Promise<void> {
  for (const listing of LISTINGS) {
    await t.test(`${listing.operation} in pages by ${driver.name}`, async (t) => {
      const request = await listing.request(world)
      const whole = await pageOf(driver, listing, request)
      t.same([whole.truncated, whole.next], [false, undefined], 'in one page')
      t.ok(whole.items.length >= LEAST)
      const found: string[] = []
      let marker: string | undefined
      do {
        const page: Page = await pageOf(driver, listing, { ...request, Limit: 2, ...(marker && { Marker: marker }) })
        t.ok(page.items.length <= 2)
        t.equal(page.truncated, page.next !== undefined)
        found.push(...page.items)
        marker = page.next
      } while (marker !== undefined)
      t.same(found, whole.items)
    })
  }
}
