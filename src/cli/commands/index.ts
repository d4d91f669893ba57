/** The table of commands: help, completion and docs/cli.md are made from it. */
import type { Command } from '../command.ts'
import { apply } from './apply.ts'
import { auditVerify } from './audit-verify.ts'
import { backups } from './backup.ts'
import { completion } from './completion.ts'
import { configCheck } from './config-check.ts'
import { doctor } from './doctor.ts'
import { exposeCheck } from './expose-check.ts'
import { grants } from './grant.ts'
import { hsmSweep } from './hsm-sweep.ts'
import { init } from './init.ts'
import { keys } from './key.ts'
import { principals } from './principal.ts'
import { realmList } from './realm.ts'
import { reload } from './reload.ts'
import { ringCreate, ringList } from './ring.ts'
import { rotateRoot } from './rotate-root.ts'
import { seal, unseal } from './seal.ts'
import { serve } from './serve.ts'
import { status } from './status.ts'
import { upgradeCheck } from './upgrade-check.ts'
import { xksCredential } from './xks.ts'

export const COMMANDS: readonly Command[] = [
  serve,
  init,
  doctor,
  status,
  reload,
  exposeCheck,
  configCheck,
  upgradeCheck,
  seal,
  unseal,
  rotateRoot,
  auditVerify,
  hsmSweep,
  realmList,
  ringList,
  ringCreate,
  ...keys,
  ...principals,
  ...grants,
  apply,
  ...backups,
  xksCredential,
  completion,
]
