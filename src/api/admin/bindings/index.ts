/** The list of the administrator's commands: the single source of the socket's routes. */
import type { Command } from '../binding.ts'
import { applyCommands } from './apply.ts'
import { completeBackupCommand, createBackupCommand } from './backup.ts'
import {
  deleteKeyCommand,
  disableKeyCommand,
  enableKeyCommand,
  rotateKeyCommand,
  undeleteKeyCommand,
} from './change-key.ts'
import { createAccessKeyCommand } from './create-access-key.ts'
import { createKeyCommand } from './create-key.ts'
import { createPrincipalCommand } from './create-principal.ts'
import { createRingCommand } from './create-ring.ts'
import { deleteAccessKeyCommand } from './delete-access-key.ts'
import { deletePrincipalCommand } from './delete-principal.ts'
import { getKeyCommand } from './get-key.ts'
import { statusCommand } from './get-status.ts'
import { grants } from './grants.ts'
import { listKeysCommand, listRingKeysCommand } from './list-keys.ts'
import { listPrincipalsCommand } from './list-principals.ts'
import { listRealmsCommand } from './list-realms.ts'
import { listRingsCommand } from './list-rings.ts'
import { reloadCommand } from './reload.ts'
import { sealCommand, unsealCommand } from './seal.ts'
import { disableAccessKeyCommand, enableAccessKeyCommand } from './set-access-key-enabled.ts'
import { updatePrincipalCommand } from './update-principal.ts'

export const commands: readonly Command[] = [
  statusCommand,
  reloadCommand,
  listRealmsCommand,
  listRingsCommand,
  createRingCommand,
  listKeysCommand,
  listRingKeysCommand,
  getKeyCommand,
  createKeyCommand,
  enableKeyCommand,
  disableKeyCommand,
  rotateKeyCommand,
  deleteKeyCommand,
  undeleteKeyCommand,
  createBackupCommand,
  completeBackupCommand,
  sealCommand,
  unsealCommand,
  createPrincipalCommand,
  updatePrincipalCommand,
  listPrincipalsCommand,
  deletePrincipalCommand,
  createAccessKeyCommand,
  enableAccessKeyCommand,
  disableAccessKeyCommand,
  deleteAccessKeyCommand,
  ...grants,
  ...applyCommands,
]
