/** The registry and the text format, on their own. */
import t from 'tap'
import { Counter, Histogram, Registry, readAll } from '../../src/metrics/registry.ts'
import { renderText } from '../../src/metrics/text.ts'
import { parseText } from './support.ts'

t.test('what is counted is read, with its labels', async (t) => {
  const registry = new Registry()
  const requests = registry.add(new Counter({ name: 'requests_total', help: 'a\nb\\', labels: ['who', 'what'] }))
  const plain = registry.add(new Counter({ name: 'plain_total', help: '', labels: [] }))
  const took = registry.add(new Histogram({ name: 'took_seconds', help: '', labels: ['who'] }, [1, 2]))
  registry.watch('gauge', { name: 'open', help: '', labels: [] }, async () => [{ labels: [], value: 7 }])
  registry.watch('gauge', { name: 'broken', help: '', labels: [] }, () => {
    throw new Error('cannot be read')
  })
  for (const who of ['a', 'b', 'a']) requests.add([who, 'x"\\\n'])
  requests.add(['a', 'y'], 5)
  plain.add([])
  for (const value of [0.5, 1, 1.5, 9]) took.observe(['a'], value)
  const text = renderText(await readAll(registry))
  t.match(text, '# HELP requests_total a\\nb\\\\\n# TYPE requests_total counter\n')
  t.same(parseText(text), [
    { name: 'requests_total', labels: { who: 'a', what: 'x"\\\n' }, value: 2 },
    { name: 'requests_total', labels: { who: 'a', what: 'y' }, value: 5 },
    { name: 'requests_total', labels: { who: 'b', what: 'x"\\\n' }, value: 1 },
    { name: 'plain_total', labels: {}, value: 1 },
    { name: 'took_seconds_bucket', labels: { who: 'a', le: '1' }, value: 2 },
    { name: 'took_seconds_bucket', labels: { who: 'a', le: '2' }, value: 3 },
    { name: 'took_seconds_bucket', labels: { who: 'a', le: '+Inf' }, value: 4 },
    { name: 'took_seconds_sum', labels: { who: 'a' }, value: 12 },
    { name: 'took_seconds_count', labels: { who: 'a' }, value: 4 },
    { name: 'open', labels: {}, value: 7 },
  ])
  t.throws(() => registry.add(new Counter({ name: 'open', help: '', labels: [] })))
})
