import { listVersions } from '../../../core/ops/list-versions.ts'
import { bind } from '../binding.ts'
import { isShownVersion, versionItem } from '../bundle.ts'
import { azureName, keyReference } from '../names.ts'
import { listing } from '../paging.ts'

export const listKeyVersions = bind(listVersions)({
  wire: 'getKeyVersions',
  method: 'GET',
  paths: ['/keys/:name/versions'],
  toInput: ({ name, after, limit }) => ({
    key: keyReference(name),
    after,
    limit,
    expect: 'live',
    include: isShownVersion,
  }),
  toOutput: ({ ring, key, versions, next }, request) =>
    listing(
      request,
      `/keys/${azureName(key)}/versions`,
      versions.map((version) => versionItem(request, { ring, key }, version)),
      next,
    ),
})
