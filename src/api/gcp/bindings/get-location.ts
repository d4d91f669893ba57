import { getRealm } from '../../../core/ops/realms.ts'
import { bind } from '../binding.ts'
import { Locations } from '../gen/google/cloud/location/locations_pb.js'
import { locationMessage, parseLocation } from '../names.ts'

export const getLocationBinding = bind(Locations.method.getLocation, {
  operation: getRealm,
  permission: 'cloudkms.locations.get',
  resource: ({ name }) => parseLocation('name', name),
  toInput: () => ({}),
  toOutput: (_output, { name }) => locationMessage(parseLocation('name', name)),
})
