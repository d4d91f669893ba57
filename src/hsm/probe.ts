/** Opens a token once, for `doctor`: what is there, what it can do, or what is wrong. */
import { type HsmConfig, TokenClient } from './client.ts'
import type { Profile, TokenIdentity, TokenProblem } from './protocol.ts'

export type TokenReport =
  | { readonly ok: true; readonly token: TokenIdentity; readonly profile: Profile }
  | { readonly ok: false; readonly problem: TokenProblem }

/** Makes one attempt, a login included, in a child process of its own. */
export async function probeToken(config: HsmConfig): Promise<TokenReport> {
  let problem: TokenProblem = { kind: 'device', detail: 'the PKCS#11 module ended its process' }
  const client = new TokenClient({
    ...config,
    onEvent: (event) => {
      if (event.kind === 'problem') problem = event.problem
    },
  })
  try {
    await client.start()
    const { token, profile } = client
    return token === undefined || profile === undefined ? { ok: false, problem } : { ok: true, token, profile }
  } finally {
    await client.close()
  }
}
