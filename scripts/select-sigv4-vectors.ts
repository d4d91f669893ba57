/**
 * Puts the published cases of Signature Version 4 into one file: test/vectors/data/sigv4/v4.json.
 * Usage: node scripts/select-sigv4-vectors.ts <aws-c-auth's tests/aws-signing-test-suite/v4>
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const OUT = new URL('../test/vectors/data/sigv4/v4.json', import.meta.url).pathname
const [folder = ''] = process.argv.slice(2)

const cases = readdirSync(folder).map((name) => {
  const read = (file: string): string => readFileSync(join(folder, name, file), 'utf8')
  const form = (kind: 'header' | 'query') => ({
    request: read(`${kind}-signed-request.txt`),
    canonical: read(`${kind}-canonical-request.txt`),
  })
  const { normalize, omit_session_token } = JSON.parse(read('context.json'))
  return {
    name,
    normalize,
    tokenAfterSigning: omit_session_token === true,
    header: form('header'),
    query: form('query'),
  }
})
writeFileSync(OUT, `${JSON.stringify({ source: 'aws-c-auth, tests/aws-signing-test-suite/v4', cases }, null, 1)}\n`)
