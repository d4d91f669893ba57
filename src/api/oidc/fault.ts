/**
 * Why a token is not taken. Each dialect has its own names for the kinds. Nothing of the token is in it: what stands
 * there was written by whoever sent it.
 */
const WORDS = {
  /** Not a token, too large, or with header parameters that are none of its bearer's business. */
  malformed: 'The token is malformed.',
  algorithm: 'The token is signed with an algorithm that its issuer does not use.',
  issuer: 'The token is of an unknown issuer.',
  audience: 'The token is for another audience.',
  signature: 'The signature of the token is invalid.',
  expired: 'The token is expired.',
  not_yet_valid: 'The token is not yet valid.',
  /** The issuer's keys can't be had just now: nothing is known of the token. */
  unavailable: 'The keys of the token issuer are unavailable.',
} as const
export type TokenFaultKind = keyof typeof WORDS

export class TokenFault extends Error {
  override readonly name = 'TokenFault'
  readonly kind: TokenFaultKind

  constructor(kind: TokenFaultKind, options?: { cause?: unknown }) {
    super(WORDS[kind], options)
    this.kind = kind
  }
}
