/** What both sides of a signature, backend and verifier, ask of the input. */
import { type Algorithm, algorithmRow, HASH_BYTES, type KeySpec, maxPlaintext } from './algorithm.ts'
import { invalidArgument, KmsError } from './error.ts'
import type { SignInput } from './ports.ts'

const MU_BYTES = 64
/** FIPS 204 section 5.2, FIPS 205 section 10.2. */
const MAX_CONTEXT_BYTES = 255
const NOTHING = new Uint8Array(0)

type Form = 'message' | 'digest' | 'mu'
const formOf = (input: SignInput): Form => ('message' in input ? 'message' : 'digest' in input ? 'digest' : 'mu')

/** The forms of input that an algorithm takes. */
export function formsOf(algorithm: Algorithm): readonly Form[] {
  const row = algorithmRow(algorithm)
  if (row.op !== 'sign') return []
  if (row.scheme === 'ml-dsa-mu') return ['mu']
  return 'hash' in row ? ['message', 'digest'] : ['message']
}

/** @throws KmsError invalid_argument (context) where the algorithm has none, or for one that is too long */
function checkContext(algorithm: Algorithm, input: SignInput): void {
  const context = contextOf(input)
  if (context.length > MAX_CONTEXT_BYTES) throw invalidArgument('context', `has at most ${MAX_CONTEXT_BYTES} bytes`)
  if (context.length > 0 && !('context' in algorithmRow(algorithm))) {
    throw invalidArgument('context', `${algorithm} has no context`)
  }
}

/**
 * Whether the algorithm signs such an input.
 * @throws KmsError digest_length; plaintext_too_large for a message that a raw signature can't hold; invalid_argument
 *   (message, digest, mu, context) for what the algorithm does not take
 */
export function checkSignInput(spec: KeySpec, algorithm: Algorithm, input: SignInput): void {
  const form = formOf(input)
  const forms = formsOf(algorithm)
  if (!forms.includes(form)) throw invalidArgument(form, `${algorithm} signs a ${forms.join(' or a ')}, not a ${form}`)
  checkContext(algorithm, input)
  if ('mu' in input && input.mu.length !== MU_BYTES) throw invalidArgument('mu', `has ${MU_BYTES} bytes`)
  if ('digest' in input) {
    const row = algorithmRow(algorithm)
    const expected = 'hash' in row ? HASH_BYTES[row.hash] : 0
    const actual = input.digest.length
    if (actual !== expected) throw new KmsError('digest_length', { algorithm, expected, actual })
  }
  const limit = maxPlaintext(spec, algorithm)
  if (limit !== undefined && 'message' in input && input.message.length > limit) {
    throw new KmsError('plaintext_too_large', { limit, algorithm, spec })
  }
}

export const contextOf = (input: SignInput): Uint8Array => ('context' in input && input.context) || NOTHING

/** For an input that was checked against an algorithm that takes messages alone. */
export function messageOf(input: SignInput): Uint8Array {
  if ('message' in input) return input.message
  throw new KmsError('internal')
}

/** A message or its digest, for an input that was checked against an algorithm that takes both. */
export function hashedInput(input: SignInput): Exclude<SignInput, { readonly mu: Uint8Array }> {
  if ('mu' in input) throw new KmsError('internal')
  return input
}
