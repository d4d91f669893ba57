/**
 * A root key that nobody has alone: split by Shamir's scheme into shares, some of which bring it back. The file beside the
 * data says how many; the shares are their holders'. A share is text: `tfs1-` and, in base64url, the set's id (4 bytes),
 * the share (33) and a checksum (3), so that a slip of the keyboard and a share of another set are told at once.
 */
import { createHash, createSecretKey, type KeyObject, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { combine, split } from 'shamir-secret-sharing'
import { Problem } from '../core/problem.ts'
import { Secret } from '../core/secret.ts'
import { createFile } from './files.ts'

const KEY_BYTES = 32
const ID_BYTES = 4
const SHARE_BYTES = KEY_BYTES + 1
const SUM_BYTES = 3
const PREFIX = 'tfs1-'

export type ShareSet = { readonly format: 1; readonly id: string; readonly shares: number; readonly threshold: number }

const checksum = (bytes: Uint8Array): Buffer =>
  createHash('sha256').update('trefoil share').update(bytes).digest().subarray(0, SUM_BYTES)

function encodeShare(id: string, share: Uint8Array): string {
  const body = Buffer.concat([Buffer.from(id, 'hex'), share])
  return PREFIX + Buffer.concat([body, checksum(body)]).toString('base64url')
}

/** @throws Problem */
export function readShareSet(path: string): ShareSet {
  const damaged = new Problem(`${path} does not say what shares there are`, 'bring it back from a backup')
  try {
    const set = JSON.parse(readFileSync(path, 'utf8')) as ShareSet
    if (set.format === 1 && typeof set.id === 'string' && Number.isInteger(set.threshold)) return set
  } catch (error) {
    throw new Problem(damaged.message, damaged.fix, { cause: error })
  }
  throw damaged
}

/** Shares as they come in, until there are enough. */
export class ShareCollector {
  readonly #set: ShareSet
  readonly #shares = new Map<number, Buffer>()

  constructor(set: ShareSet) {
    this.#set = set
  }

  get missing(): number {
    return Math.max(0, this.#set.threshold - this.#shares.size)
  }

  /** The same share twice is one. @throws Problem for what is no share, or one of another key */
  add(text: string): void {
    const bytes = Buffer.from(text.trim().slice(PREFIX.length), 'base64url')
    const body = bytes.subarray(0, ID_BYTES + SHARE_BYTES)
    const whole =
      bytes.length === ID_BYTES + SHARE_BYTES + SUM_BYTES && checksum(body).equals(bytes.subarray(-SUM_BYTES))
    if (!text.trim().startsWith(PREFIX) || !whole) throw new Problem('that is no share', 'type it as it was printed')
    if (body.subarray(0, ID_BYTES).toString('hex') !== this.#set.id) {
      throw new Problem('that is a share of another root key', 'take one of the shares that this one was split into')
    }
    // The last byte is the share's place on the curve.
    this.#shares.set(bytes[ID_BYTES + KEY_BYTES] ?? 0, Buffer.from(body.subarray(ID_BYTES)))
    bytes.fill(0)
  }

  /** Takes the shares away. */
  async combine(): Promise<KeyObject> {
    const key = await combine([...this.#shares.values()].map((share) => Uint8Array.from(share)))
    this.forget()
    try {
      return createSecretKey(key)
    } finally {
      key.fill(0)
    }
  }

  forget(): void {
    for (const share of this.#shares.values()) share.fill(0)
    this.#shares.clear()
  }
}

/**
 * A new key. The shares are handed out before the file is there: cut short between the two, the next attempt makes others.
 * @param handOut shows each share to whoever is to keep it
 */
export async function makeSharedKey(
  path: string,
  { shares, threshold }: Pick<ShareSet, 'shares' | 'threshold'>,
  handOut: (shares: readonly string[]) => void,
): Promise<KeyObject> {
  const key = new Secret(randomBytes(KEY_BYTES))
  try {
    const id = randomBytes(ID_BYTES).toString('hex')
    const parts = await key.use((bytes) => split(Uint8Array.from(bytes), shares, threshold))
    handOut(parts.map((part) => encodeShare(id, part)))
    for (const part of parts) part.fill(0)
    const set: ShareSet = { format: 1, id, shares, threshold }
    createFile(path, Buffer.from(`${JSON.stringify(set)}\n`))
    return key.use((bytes) => createSecretKey(bytes))
  } finally {
    key.wipe()
  }
}
