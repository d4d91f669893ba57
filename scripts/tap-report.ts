/**
 * tap's reporter here: TAP on stdin; on stdout one line per test file, every failure with its details and every skip with its
 * reason. Where REPORT_TOTALS names a file, the totals go there as `passed failed skipped`, for .ci/run.
 *
 * Counted are leaf test points. A subtest's own line counts only where nothing below it tells the same: it failed by its exit
 * code, its plan or a timeout, or it was skipped as a whole.
 */
import { writeFileSync } from 'node:fs'
import process from 'node:process'
import { Parser, type Result } from 'tap-parser'
import { stringify } from 'yaml'

interface Totals {
  passed: number
  failed: number
  skipped: number
}

/** A skip for this reason is a fact of the machine; any other is a hole in the evidence, and CI counts it as a failure. */
const ALLOWED_SKIP = /^no tool:/
const strict = process.env.CI === 'true'
const print = (line: string): void => void process.stdout.write(`${line}\n`)

class FileReport implements Totals {
  passed = 0
  failed = 0
  skipped = 0
  readonly findings: string[] = []
  readonly output: string[] = []

  count(result: Result, path: readonly string[], below: Totals | undefined): void {
    const name = [...path, result.name].join(' > ')
    if (result.skip) {
      if (below === undefined || below.passed + below.failed + below.skipped === 0) this.skip(result, name)
    } else if (result.todo) {
      this.fail(`todo: ${name}`, undefined)
    } else if (!result.ok) {
      if (below === undefined || below.failed === 0) this.fail(name, result.diag)
    } else if (below === undefined) {
      this.passed += 1
    }
  }

  // `t.skip(reason)` leaves its reason in the name, `{ skip: reason }` in the directive.
  private skip(result: Result, name: string): void {
    const reason = typeof result.skip === 'string' && result.skip !== '' ? result.skip : result.name
    if (reason === 'no tests found' || (strict && !ALLOWED_SKIP.test(reason))) {
      this.fail(`skipped: ${name} (${reason})`, undefined)
      return
    }
    this.skipped += 1
    this.findings.push(`  skipped  ${name} (${reason})`)
  }

  private fail(name: string, details: unknown): void {
    this.failed += 1
    this.findings.push(`  FAILED   ${name}`)
    if (details) this.findings.push(stringify(details).trimEnd().replaceAll(/^/gm, '           '))
  }
}

const totals: Totals = { passed: 0, failed: 0, skipped: 0 }
const sum = (into: Totals, from: Totals): void => {
  into.passed += from.passed
  into.failed += from.failed
  into.skipped += from.skipped
}

/** Counts what `parser` reads into `file`, and returns a live view of what was counted at and below it. */
const follow = (parser: Parser, file: FileReport, path: readonly string[]): (() => Totals) => {
  const start = { passed: file.passed, failed: file.failed, skipped: file.skipped }
  let child: { readonly name: string; readonly counted: () => Totals } | undefined
  parser.on('child', (nested: Parser) => {
    child = { name: nested.name, counted: follow(nested, file, [...path, nested.name]) }
  })
  parser.on('assert', (result: Result) => {
    const own = child !== undefined && child.name === result.name ? child.counted() : undefined
    child = undefined
    file.count(result, path, own)
  })
  parser.on('comment', (text: string) => {
    if (!/^# (Subtest|time=)/.test(text)) file.output.push(text.trimEnd())
  })
  return () => ({
    passed: file.passed - start.passed,
    failed: file.failed - start.failed,
    skipped: file.skipped - start.skipped,
  })
}

const finish = (file: FileReport, name: string, milliseconds: number | null | undefined): void => {
  const skipped = file.skipped > 0 ? `, ${file.skipped} skipped` : ''
  const failed = file.failed > 0 ? `, ${file.failed} FAILED` : ''
  const time = milliseconds ? ` in ${Math.round(milliseconds)} ms` : ''
  print(`${file.failed > 0 ? 'not ok' : 'ok'}  ${name}: ${file.passed} passed${failed}${skipped}${time}`)
  for (const finding of file.findings) print(finding)
  if (file.failed > 0) for (const line of file.output) print(`  output   ${line}`)
  sum(totals, file)
}

const root = new Parser()
let current: { readonly name: string; readonly file: FileReport; readonly counted: () => Totals } | undefined
root.on('child', (nested: Parser) => {
  const file = new FileReport()
  current = { name: nested.name, file, counted: follow(nested, file, []) }
})
root.on('assert', (result: Result) => {
  const known = current !== undefined && current.name === result.name ? current : undefined
  current = undefined
  const file = known?.file ?? new FileReport()
  file.count(result, [], known?.counted())
  finish(file, result.name, result.time)
})
// What a test prints besides TAP arrives here whatever its depth.
root.on('extra', (text: string) => current?.file.output.push(text.trim()))
root.on('bailout', (reason: string) => {
  totals.failed += 1
  print(`FAILED   bailed out: ${reason}`)
})
root.on('complete', () => {
  print(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`)
  const target = process.env.REPORT_TOTALS
  if (target) writeFileSync(target, `${totals.passed} ${totals.failed} ${totals.skipped}\n`)
})
process.stdin.pipe(root)
