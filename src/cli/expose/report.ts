/** What a check of exposures finds, one thing after the other. */
export type Finding = {
  readonly exposure: string
  readonly protocol: string
  readonly check: string
  readonly verdict: 'ok' | 'failed' | 'skipped'
  /** What was seen; of a failure what is wrong. */
  readonly detail?: string
  /** The next step. */
  readonly fix?: string
  readonly ms: number
}

/** A check that did not pass, in words for the operator. */
export class Mismatch extends Error {
  override readonly name = 'Mismatch'
}

const reasonOf = (error: unknown): string => {
  if (error instanceof Mismatch) return error.message
  const { code, message } = error as NodeJS.ErrnoException
  return code === undefined ? message : `${code}: ${message}`
}

export class Report {
  readonly findings: Finding[] = []
  readonly #of: { readonly exposure: string; readonly protocol: string }

  constructor(exposure: string, protocol: string) {
    this.#of = { exposure, protocol }
  }

  /**
   * @param run what it returns is the detail; what it throws is the failure
   * @returns whether it passed
   */
  async check(check: string, fix: string, run: () => Promise<string | undefined>): Promise<boolean> {
    const started = performance.now()
    const ms = () => Math.round(performance.now() - started)
    try {
      const detail = await run()
      this.findings.push({ ...this.#of, check, verdict: 'ok', ...(detail !== undefined && { detail }), ms: ms() })
      return true
    } catch (error) {
      this.findings.push({ ...this.#of, check, verdict: 'failed', detail: reasonOf(error), fix, ms: ms() })
      return false
    }
  }

  skip(check: string, detail: string): void {
    this.findings.push({ ...this.#of, check, verdict: 'skipped', detail, ms: 0 })
  }
}

const MARK = { ok: 'ok     ', failed: 'FAILED ', skipped: 'skipped' } as const

export function textOf(findings: readonly Finding[]): string {
  let text = ''
  let last: string | undefined
  for (const { exposure, protocol, check, verdict, detail, fix, ms } of findings) {
    if (exposure !== last) text += `${text === '' ? '' : '\n'}${exposure} (${protocol})\n`
    last = exposure
    const said = detail === undefined ? '' : `: ${detail}`
    text += `  ${MARK[verdict]} ${check}${said}${verdict === 'ok' ? ` (${ms} ms)` : ''}\n`
    if (fix !== undefined) text += `          fix: ${fix}\n`
  }
  const count = (verdict: Finding['verdict']): number => findings.filter((one) => one.verdict === verdict).length
  return `${text}\n${count('ok')} passed, ${count('failed')} failed, ${count('skipped')} skipped\n`
}
