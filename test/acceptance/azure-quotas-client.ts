/** A caller that uses up its quota, by the unmodified Azure SDK that does not try again. Prints one JSON object. */
import { createHash } from 'node:crypto'
import type { RestError } from '@azure/core-rest-pipeline'
import { codeOf, cryptography, keyClient } from './azure-sdk.ts'

const client = keyClient()
const key = await client.createKey('throttled', 'EC')
const sign = () => cryptography(key).sign('ES256', createHash('sha256').update('a message').digest())
const first = await codeOf(sign())
const error = await sign().catch((thrown: RestError) => thrown)
const { statusCode, code, message, response } = error as RestError
console.log(
  JSON.stringify({
    first,
    second: `${statusCode} ${code}`,
    message,
    retryAfter: response?.headers.get('retry-after'),
    managing: await codeOf(client.getKey('throttled')),
  }),
)
