/** The list of the administrator's commands: the single source of the socket's routes. */
import type { Command } from '../binding.ts'
import { createAccessKeyCommand } from './create-access-key.ts'
import { createPrincipalCommand } from './create-principal.ts'
import { deleteAccessKeyCommand } from './delete-access-key.ts'
import { deletePrincipalCommand } from './delete-principal.ts'
import { listPrincipalsCommand } from './list-principals.ts'
import { disableAccessKeyCommand, enableAccessKeyCommand } from './set-access-key-enabled.ts'
import { updatePrincipalCommand } from './update-principal.ts'

export const commands: readonly Command[] = [
  createPrincipalCommand,
  updatePrincipalCommand,
  listPrincipalsCommand,
  deletePrincipalCommand,
  createAccessKeyCommand,
  enableAccessKeyCommand,
  disableAccessKeyCommand,
  deleteAccessKeyCommand,
]
