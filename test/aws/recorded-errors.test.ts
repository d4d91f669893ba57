/** Every error that AWS was seen to answer, in its code, its status and its words. */
import t from 'tap'
import { LIFE, NAMES, type Recording, TAGS, USES } from './recorded-errors.ts'
import { VALIDATION } from './recorded-validation.ts'
import { makeAws } from './support.ts'

const RECORDINGS: readonly Recording[] = [...USES, ...LIFE, ...NAMES, ...TAGS, ...VALIDATION]

function expectedMessage({ message, newer }: Recording, names: Readonly<Record<string, string>>): string {
  const named = Object.entries(names).reduce((text, [replaced, name]) => text.replace(replaced, name), message)
  return newer === undefined ? named : named.replace(/\]$/, `, ${newer.join(', ')}]`)
}

t.test('as recorded', async (t) => {
  const aws = await makeAws()
  t.teardown(() => aws.close())
  t.equal(RECORDINGS.length, 62)
  t.equal(new Set(RECORDINGS.map(({ code, message }) => `${code} ${message}`)).size, RECORDINGS.length)
  for (const recording of RECORDINGS) {
    const { operation, body, region, names = {} } = await recording.ask(aws)
    const answer = await aws.ask(operation, body, region === undefined ? {} : { region })
    const message = expectedMessage(recording, names)
    t.notMatch(message, /<[a-z]/, 'every name is known')
    t.same(
      { status: answer.status, body: answer.body, type: answer.headers['x-amzn-errortype'] },
      {
        status: 400,
        body: message === '' ? { __type: recording.code } : { __type: recording.code, message },
        type: recording.code,
      },
      `${recording.code} ${recording.by}`,
    )
  }
})
