/**
 * Long-running operations. Those that are served are done when they are answered, and their names say what they did: the
 * key's UUID, with the number of the version where one was deleted.
 */
import type { MessageInitShape } from '@bufbuild/protobuf'
import { create } from '@bufbuild/protobuf'
import { anyPack, EmptySchema } from '@bufbuild/protobuf/wkt'
import type { GetDeletionInput } from '../../core/ops/get-deletion.ts'
import type { WireContext } from '../surface.ts'
import {
  DeleteCryptoKeyMetadataSchema,
  DeleteCryptoKeyVersionMetadataSchema,
} from './gen/google/cloud/kms/v1/service_pb.js'
import type { OperationSchema } from './gen/google/longrunning/operations_pb.js'
import { type OperationName, requested } from './names.ts'

const UUID_LENGTH = 36

/** What an operation's id says was deleted; nothing has the id of another form. */
export function deletionOf({ operation }: OperationName): GetDeletionInput {
  const number = /^.{36}-([1-9][0-9]{0,9})$/.exec(operation)?.[1]
  return number === undefined
    ? { keyId: operation }
    : { keyId: operation.slice(0, UUID_LENGTH), number: Number(number) }
}

/** The deletion as an operation that is done. */
export function deletionMessage(
  { keyId, number }: GetDeletionInput,
  ctx: WireContext,
): MessageInitShape<typeof OperationSchema> {
  const location = requested(ctx)
  const metadata =
    number === undefined
      ? anyPack(
          DeleteCryptoKeyMetadataSchema,
          create(DeleteCryptoKeyMetadataSchema, { retiredResource: `${location}/retiredResources/${keyId}` }),
        )
      : anyPack(DeleteCryptoKeyVersionMetadataSchema, create(DeleteCryptoKeyVersionMetadataSchema))
  return {
    name: `${location}/operations/${number === undefined ? keyId : `${keyId}-${number}`}`,
    metadata,
    done: true,
    result: { case: 'response', value: anyPack(EmptySchema, create(EmptySchema)) },
  }
}
