import { StartError } from './error.ts'

/** A StartError whose way out is a sentence of its own, so that `doctor` can set it apart. */
export class Problem extends StartError {
  /** One sentence: the next step. */
  readonly fix: string

  /** Both texts are shown as they are: no secret may be in them. */
  constructor(message: string, fix: string, options?: { cause?: unknown }) {
    super(message, options)
    this.fix = fix
  }
}

/** For a terminal. */
export const describeProblem = (error: StartError): string =>
  error instanceof Problem ? `${error.message}\n  fix: ${error.fix}` : error.message
