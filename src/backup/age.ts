/** age (age-encryption.org/v1): a backup is one age file, which the age tools open as well. */
import { readFileSync } from 'node:fs'
import {
  Decrypter,
  Encrypter,
  generateHybridIdentity,
  generateX25519Identity,
  identityToRecipient,
} from 'age-encryption'
import { Problem } from '../core/problem.ts'

/** @throws Problem */
export function encrypterFor(recipients: readonly string[]): Encrypter {
  const encrypter = new Encrypter()
  for (const recipient of recipients) {
    try {
      encrypter.addRecipient(recipient)
    } catch (error) {
      throw new Problem(
        `backup.recipients has no recipient of age: ${recipient.slice(0, 20)}…`,
        'trefoil backup keygen makes a recovery key and prints its recipient',
        { cause: error },
      )
    }
  }
  return encrypter
}

export async function encrypted(
  recipients: readonly string[],
  plain: AsyncIterable<Uint8Array>,
): Promise<ReadableStream<Uint8Array>> {
  return encrypterFor(recipients).encrypt(ReadableStream.from(plain) as ReadableStream<Uint8Array>)
}

const IDENTITY = /^AGE-SECRET-KEY-(PQ-)?1[0-9A-Z]+$/

/** A file as age-keygen writes it: identities, one a line, and comments. @throws Problem */
export function readIdentities(path: string): readonly string[] {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new Problem(`${path} cannot be read`, 'check its name and its permissions', { cause: error })
  }
  const identities = text.split(/\r?\n/).filter((line) => IDENTITY.test(line))
  if (identities.length > 0) return identities
  throw new Problem(`${path} holds no recovery key`, 'give the file that trefoil backup keygen, or age-keygen, wrote')
}

const notOpened = (name: string, cause: unknown): Problem =>
  new Problem(
    `${name} does not open: it is damaged or cut short, or none of the recovery keys is its own`,
    'give the recovery key of a recipient it was made for, or another backup',
    { cause },
  )

/** @throws Problem, while it is read as well */
export async function* decrypted(
  identities: readonly string[],
  name: string,
  source: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const decrypter = new Decrypter()
  try {
    for (const identity of identities) decrypter.addIdentity(identity)
    yield* await decrypter.decrypt(ReadableStream.from(source) as ReadableStream<Uint8Array>)
  } catch (error) {
    throw error instanceof Problem ? error : notOpened(name, error)
  }
}

export type RecoveryKey = { readonly identity: string; readonly recipient: string }

export async function newRecoveryKey(postQuantum: boolean): Promise<RecoveryKey> {
  const identity = await (postQuantum ? generateHybridIdentity() : generateX25519Identity())
  return { identity, recipient: await identityToRecipient(identity) }
}
