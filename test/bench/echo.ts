/** The yardstick: a bare Fastify that parses a request's JSON and sends it back. Prints its port. */
import Fastify from 'fastify'

const app = Fastify()
app.addContentTypeParser(
  'application/x-amz-json-1.1',
  { parseAs: 'string' },
  app.getDefaultJsonParser('error', 'error'),
)
app.post('/*', async (request) => request.body)
await app.listen({ host: '127.0.0.1', port: 0 })
const address = app.server.address()
if (address === null || typeof address === 'string') throw new Error('no port')
process.stdout.write(`${address.port}\n`)
process.on('SIGTERM', () => void app.close().then(() => process.exit(0)))
