import { type AliasList, listAliases, listKeyAliases } from '../../../core/ops/aliases.ts'
import type { ListAliasesRequest } from '../gen/types.ts'
import { pageEnd, readLimit, readMarker } from '../marker.ts'
import { aliasArn, awsKeyId, parseKeyIdOrArn } from '../names.ts'
import { seconds } from '../render-key-metadata.ts'
import { type AwsContext, bind, either } from '../route.ts'

const LIST = 'aliases'
const KEY_LIST = 'key-aliases'

const paging = (list: string, wire: ListAliasesRequest) => ({
  after: readMarker(list, wire.Marker),
  limit: readLimit(wire.Limit, { byDefault: 50, max: 100 }),
})

const render = (list: string, { aliases, next }: AliasList, ctx: AwsContext) => ({
  Aliases: aliases.map(({ alias, key }) => ({
    AliasName: alias.name,
    AliasArn: aliasArn(ctx.realm, alias.name),
    TargetKeyId: key === undefined ? alias.keyId : awsKeyId(key),
    CreationDate: seconds(alias.createdAt),
    LastUpdatedDate: seconds(alias.updatedAt),
  })),
  ...pageEnd(list, next),
})

const all = bind({
  wire: 'ListAliases',
  operation: listAliases,
  toInput: (wire) => paging(LIST, wire),
  toOutput: (output, _wire, ctx) => render(LIST, output, ctx),
})

const ofKey = bind({
  wire: 'ListAliases',
  operation: listKeyAliases,
  toInput: (wire, ctx) => ({ ...paging(KEY_LIST, wire), key: parseKeyIdOrArn(wire.KeyId ?? '', ctx.realm) }),
  toOutput: (output, _wire, ctx) => render(KEY_LIST, output, ctx),
})

export const listAliasesRoute = either((wire) => wire.KeyId === undefined, all, ofKey)
