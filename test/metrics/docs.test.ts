/** Dashboard, alerts and runbook speak of metrics and headings that there are. */
import { readdirSync, readFileSync } from 'node:fs'
import t from 'tap'
import { parse } from 'yaml'

const read = (name: string): string => readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8')
const sources = [
  ...readdirSync(new URL('../../src/metrics', import.meta.url)).map((name) => `src/metrics/${name}`),
  'src/observe.ts',
]
const NAME = /\b(?:trefoil|nodejs|process)_[a-z_]+\b/g
const made = new Set(
  sources.flatMap((name) =>
    [...read(name).matchAll(/'((?:trefoil|nodejs|process)_[a-z_]+)'/g)].map(([, metric]) => metric),
  ),
)

type Rule = { readonly alert: string; readonly expr: string; readonly annotations: { readonly runbook: string } }
const rules: readonly Rule[] = parse(read('docs/observability/alerts.yaml')).groups.flatMap(
  (group: { rules: Rule[] }) => group.rules,
)
const dashboard = JSON.parse(read('docs/observability/dashboard.json'))

t.test('metrics', async (t) => {
  const expressions = [
    ...rules.map(({ expr }) => expr),
    ...dashboard.panels.flatMap((panel: { targets: { expr: string }[] }) => panel.targets.map(({ expr }) => expr)),
  ]
  t.ok(expressions.length > 25)
  for (const expression of [...expressions, read('docs/runbook.md')]) {
    for (const [metric] of expression.matchAll(NAME)) t.ok(made.has(metric.replace(/_(bucket|sum|count)$/, '')), metric)
  }
})

t.test('every metric is in operations.md', async (t) => {
  const text = read('docs/operations.md')
  for (const metric of made) {
    if (metric === undefined || /^(process|nodejs)_/.test(metric)) continue
    const suffix = metric.replace(/^trefoil_(backend_calls|hsm_sessions|audit_export)/, '…')
    t.ok(text.includes(`\`${metric}\``) || text.includes(`\`${suffix}\``), metric)
  }
})

t.test('what helps', async (t) => {
  const headings = new Set([...read('docs/runbook.md').matchAll(/^## (.*)$/gm)].map(([, heading]) => heading))
  for (const { alert, annotations } of rules) t.ok(headings.has(annotations.runbook), alert)
})
