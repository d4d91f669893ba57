/** A YAML file: members that stand twice are refused, and what is wrong is said by its place, never by its text. */
import { readFileSync } from 'node:fs'
import { LineCounter, parseDocument } from 'yaml'
import { Problem } from '../core/problem.ts'

/**
 * @param source a path, or 0: the standard input
 * @param what for messages: what cannot be read
 * @param path for messages: what is not YAML
 * @throws Problem
 */
export function readYaml(source: string | 0, what: string, path: string): unknown {
  let text: string
  try {
    text = readFileSync(source, 'utf8')
  } catch (error) {
    throw new Problem(`${what} cannot be read`, 'check its name and its permissions', { cause: error })
  }
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true })
  const [error] = document.errors
  if (error !== undefined) {
    const { line, col } = lines.linePos(error.pos[0])
    throw new Problem(`${path} is not YAML: line ${line}, column ${col} (${error.code})`, 'correct that line')
  }
  return document.toJS({ maxAliasCount: 16 }) ?? {}
}
