import { listLocations } from '../../../core/ops/realms.ts'
import { bind } from '../binding.ts'
import { Locations } from '../gen/google/cloud/location/locations_pb.js'
import { locationMessage, parseProject } from '../names.ts'
import { readPaging, writeToken } from '../paging.ts'

/** A project's location that asks for the others: every project has it. */
const HOME = 'global'

export const listLocationsBinding = bind(Locations.method.listLocations, {
  operation: listLocations,
  permission: 'cloudkms.locations.list',
  resource: ({ name }) => ({ ...parseProject('name', name), location: HOME }),
  toInput: (request) => ({ project: parseProject('name', request.name).project, ...readPaging(request.name, request) }),
  toOutput: ({ realms, next }, request) => ({
    locations: realms.flatMap(({ gcp }) => (gcp === undefined ? [] : [locationMessage(gcp)])),
    nextPageToken: writeToken(request.name, request, next),
  }),
})
