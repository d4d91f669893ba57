/** Running the clouds' own command line tools as any user would. */
import { execFile } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import type { StartOptions } from '../support/process.ts'

export const hasTool = (name: string): boolean =>
  (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK)
      return true
    } catch {
      return false
    }
  })

export type Ran = { readonly code: number; readonly stdout: string; readonly stderr: string }
export type RunOptions = { readonly env: NodeJS.ProcessEnv; readonly cwd?: string; readonly timeoutMs?: number }

/** Never rejects: what the tool said and how it ended is the result. */
export const run = (
  tool: string,
  args: readonly string[],
  { env, cwd, timeoutMs = 60_000 }: RunOptions,
): Promise<Ran> =>
  new Promise((done) => {
    execFile(tool, args, { env, cwd, timeout: timeoutMs, maxBuffer: 1 << 24 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 255
      done({ code, stdout, stderr })
    })
  })

/** The user of a server that wants signatures: he may do everything with keys. */
export const CREDENTIALS = {
  accessKeyId: 'AKIAACCEPTANCE000000',
  secretAccessKey: 'acceptance/secret+of/no+one',
} as const
const SECRET_VARIABLE = 'ACCEPTANCE_SECRET'
const OWNER = {
  name: 'acceptance',
  accessKeys: [{ id: CREDENTIALS.accessKeyId, secret: { env: SECRET_VARIABLE } }],
  policies: [{ Version: '2012-10-17', Statement: { Effect: 'Allow', Action: 'kms:*', Resource: '*' } }],
}

/** As in production: every request is signed, and nothing is allowed that no policy allows. */
export function enforcing({ config, env, ...more }: StartOptions = {}): StartOptions {
  const given = (config ?? {}) as { readonly aws?: object }
  return {
    ...more,
    env: { [SECRET_VARIABLE]: CREDENTIALS.secretAccessKey, ...env },
    config: { ...given, auth: { aws: 'enforce' }, aws: { ...given.aws, principals: [OWNER] } },
  }
}

/** The machine's own AWS settings are kept out. */
export function awsEnvironment(): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !/^(AWS_|TF_|TREFOIL_)|_proxy$/i.test(name))
  return {
    ...Object.fromEntries(own),
    AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
    AWS_REGION: 'us-east-1',
    AWS_DEFAULT_REGION: 'us-east-1',
    AWS_CONFIG_FILE: '/nonexistent',
    AWS_SHARED_CREDENTIALS_FILE: '/nonexistent',
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_PAGER: '',
  }
}
