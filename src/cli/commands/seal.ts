import { Problem } from '../../core/problem.ts'
import type { Unsealed } from '../../service.ts'
import { runServed } from '../admin.ts'
import { command, JSON_OPTION, print } from '../command.ts'

export const seal = command({
  name: 'seal',
  summary: 'take the root key, and every key, out of the memory of a running server at once',
  options: JSON_OPTION,
  examples: ['trefoil seal'],
  async run({ options, config }) {
    const answer = await runServed(config(), 'seal', {})
    return print(options.json, answer, 'sealed: trefoil unseal opens it\n')
  },
})

export const unseal = command({
  name: 'unseal',
  summary:
    'open a sealed server, with a passphrase or a share typed in (or on the standard input) where its root key wants one',
  options: JSON_OPTION,
  examples: ['trefoil unseal', 'trefoil unseal <share.txt'],
  async run({ options, config }) {
    const settings = config()
    const { type } = settings.rootKey
    const what = type === 'manual' ? 'the passphrase' : type === 'shamir' ? 'a share' : undefined
    let body = {}
    if (what !== undefined) {
      const { typedSecret } = await import('../../typed.ts')
      const secret = typedSecret(what)
      body = { secret: secret.use((bytes) => Buffer.from(bytes).toString('utf8')) }
      secret.wipe()
    }
    const answer = (await runServed(settings, 'unseal', body)) as Unsealed
    if (answer.state !== 'ready' && answer.state !== 'sealed')
      throw new Problem('the server did not answer', 'look at its log')
    const text =
      answer.state === 'ready' ? 'unsealed\n' : `${answer.missing} more share${answer.missing === 1 ? '' : 's'}\n`
    return print(options.json, answer, text)
  },
})
