/** Names of rights in which `*` stands for any characters, whatever their case. What was asked once is remembered. */
const MAX_REMEMBERED = 1024
const LITERAL = /[.*+?^${}()|[\]\\]/g

/** @returns whether any of the patterns is of that name */
export function matcherOf(patterns: readonly string[]): (name: string) => boolean {
  const expressions = patterns.map((pattern) => {
    const parts = pattern.split('*').map((part) => part.replace(LITERAL, '\\$&'))
    return new RegExp(`^${parts.join('.*')}$`, 'i')
  })
  const known = new Map<string, boolean>()
  return (name) => {
    const before = known.get(name)
    if (before !== undefined) return before
    const matches = expressions.some((expression) => expression.test(name))
    if (known.size < MAX_REMEMBERED) known.set(name, matches)
    return matches
  }
}
