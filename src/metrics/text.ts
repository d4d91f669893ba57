/** The Prometheus text format, version 0.0.4. */
import type { Distribution, Labels, Point, Reading } from './registry.ts'

export const TEXT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

const escapeHelp = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
const escapeLabel = (text: string): string => escapeHelp(text).replaceAll('"', '\\"')

function labelled(name: string, names: Labels, values: Labels): string {
  if (names.length === 0) return name
  return `${name}{${names.map((label, index) => `${label}="${escapeLabel(values[index] ?? '')}"`).join(',')}}`
}

const number = (value: number): string => (Number.isFinite(value) ? String(value) : value > 0 ? '+Inf' : 'NaN')

function histogramLines(name: string, names: Labels, labels: Labels, { bounds, counts, sum }: Distribution): string[] {
  const withBound = [...names, 'le']
  let total = 0
  const buckets = counts.map((count, index) => {
    total += count
    return `${labelled(`${name}_bucket`, withBound, [...labels, number(bounds[index] ?? Number.POSITIVE_INFINITY)])} ${total}`
  })
  return [
    ...buckets,
    `${labelled(`${name}_sum`, names, labels)} ${number(sum)}`,
    `${labelled(`${name}_count`, names, labels)} ${total}`,
  ]
}

function pointLines(name: string, names: Labels, { labels, value }: Point): string[] {
  if (typeof value === 'number') return [`${labelled(name, names, labels)} ${number(value)}`]
  return histogramLines(name, names, labels, value)
}

export function renderText(readings: readonly Reading[]): string {
  const lines = readings.flatMap(({ name, help, kind, labels, points }) => [
    `# HELP ${name} ${escapeHelp(help)}`,
    `# TYPE ${name} ${kind}`,
    ...points.flatMap((point) => pointLines(name, labels, point)),
  ])
  return `${lines.join('\n')}\n`
}
