/** What lies in a token, as another process sees it that knows the PIN. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { SoftHsm } from './softhsm.ts'

export type Dump = { readonly handle: number; readonly attributes: Readonly<Record<string, string>> }

/** Runs a script with `lib`, a logged-in `session` and `find(template)`; what it prints. */
async function asAnother(hsm: SoftHsm, script: string): Promise<string> {
  const prelude = `
    import pkcs11js from 'pkcs11js'
    const lib = new pkcs11js.PKCS11()
    lib.load(process.argv[1])
    lib.C_Initialize({ flags: 2 })
    const session = lib.C_OpenSession(lib.C_GetSlotList(true)[0], 6)
    lib.C_Login(session, 1, process.argv[2])
    const find = (template) => {
      lib.C_FindObjectsInit(session, template)
      const found = lib.C_FindObjects(session, 100)
      lib.C_FindObjectsFinal(session)
      return found
    }
  `
  const args = ['--input-type=module', '-e', prelude + script, hsm.library, hsm.pin]
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: import.meta.dirname, env: hsm.env })
  return stdout
}

/** Labels of the objects in the token. */
export async function listLabels(hsm: SoftHsm): Promise<string[]> {
  const label = 'lib.C_GetAttributeValue(session, object, [{ type: 3 }])[0].value.toString()'
  return JSON.parse(await asAnother(hsm, `console.log(JSON.stringify(find([]).map((object) => ${label})))`))
}

export async function deleteLabelled(hsm: SoftHsm, label: string): Promise<void> {
  const template = JSON.stringify([{ type: 3, value: label }])
  await asAnother(hsm, `for (const object of find(${template})) lib.C_DestroyObject(session, object)`)
}

/** Every attribute of every object, those of v3.2 and a vendor's range among them, in hex, as far as a logged-in user can read it. */
export async function dump(hsm: SoftHsm): Promise<Dump[]> {
  const script = `
    console.log(JSON.stringify(find([]).map((object, handle) => {
      const attributes = {}
      const range = (from, to) => Array.from({ length: to - from }, (_, i) => from + i)
      const types = [...range(0, 0x220), ...range(0x300, 0x310), ...range(0x600, 0x640), ...range(0x80008000, 0x80008010)]
      for (const type of types) {
        try { attributes[type.toString(16)] = lib.C_GetAttributeValue(session, object, [{ type }])[0].value.toString('hex') } catch {}
      }
      return { handle, attributes }
    })))
  `
  return JSON.parse(await asAnother(hsm, script))
}

export const ATTRIBUTE = {
  token: '1',
  private: '2',
  value: '11',
  label: '3',
  id: '102',
  sensitive: '103',
  extractable: '162',
} as const
/** Values of secret keys, and of private ones: exponent, primes, CRT numbers, seeds. */
const SECRET_ATTRIBUTES = ['11', '123', '124', '125', '126', '127', '128', '637']

/** What is wrong with an object's protection; undefined where it can't be had out of the token. */
export function exposure({ attributes }: Dump, secrets: readonly string[] = []): string | undefined {
  const flags = [ATTRIBUTE.token, ATTRIBUTE.private, ATTRIBUTE.sensitive, ATTRIBUTE.extractable]
  const found = flags.map((type) => attributes[type]).join(' ')
  if (found !== '01 01 01 00') return `token, private, sensitive, extractable: ${found}`
  const readable = SECRET_ATTRIBUTES.find((type) => (attributes[type] ?? '') !== '')
  if (readable !== undefined) return `attribute 0x${readable} can be read`
  const leak = Object.entries(attributes).find(([, value]) => secrets.some((secret) => value.includes(secret)))
  return leak === undefined ? undefined : `attribute 0x${leak[0]} holds a secret`
}
