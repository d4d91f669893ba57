/** Reads what a Prometheus server would. */

export type Sample = {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

const LINE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\n"])*)"(?:,|$)/y

function parseLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {}
  LABEL.lastIndex = 0
  while (LABEL.lastIndex < text.length) {
    const match = LABEL.exec(text)
    if (match === null) throw new Error(`no labels: ${text}`)
    labels[match[1] ?? ''] = (match[2] ?? '').replace(/\\(.)/g, (_all, escaped) => (escaped === 'n' ? '\n' : escaped))
  }
  return labels
}

/** @throws for a line that is not of the text format, and for samples before their type */
export function parseText(text: string): readonly Sample[] {
  const typed = new Set<string>()
  const samples: Sample[] = []
  for (const line of text.split('\n').filter((line) => line !== '')) {
    const type = /^# TYPE (\S+) (counter|gauge|histogram)$/.exec(line)
    if (type !== null) {
      if (typed.has(type[1] ?? '')) throw new Error(`described twice: ${line}`)
      typed.add(type[1] ?? '')
    }
    if (line.startsWith('# ')) continue
    const match = LINE.exec(line)
    const [, name = '', labels = '', value = ''] = match ?? []
    const family = name.replace(/_(bucket|sum|count)$/, '')
    if (match === null || !(typed.has(name) || typed.has(family))) throw new Error(`not a sample: ${line}`)
    samples.push({
      name,
      labels: parseLabels(labels),
      value: value === '+Inf' ? Number.POSITIVE_INFINITY : Number(value),
    })
  }
  return samples
}

export async function scrape(url: string): Promise<readonly Sample[]> {
  const response = await fetch(url)
  if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`)
  return parseText(await response.text())
}

/** Where the log of a real process says that its metrics are. */
export async function metricsUrl(server: { logged(pattern: RegExp): Promise<string> }): Promise<string> {
  const pattern = /https?:\/\/\S+\/metrics/
  return pattern.exec(await server.logged(pattern))?.[0] ?? ''
}
