/** A request's date, as `X-Amz-Date` and the older `Date` header write it. */
import { incomplete } from './fault.ts'

export type Timestamp = {
  /** ISO 8601 basic format, as it stands in the string to sign. */
  readonly text: string
  readonly time: number
}

const BASIC = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/
/** RFC 9110 section 5.6.7, in the form that is not obsolete. */
const HTTP_DATE = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/

const write = (time: number): string => `${new Date(time).toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`

/** Requests come many a second, and so with the same date. */
let last: Timestamp = { text: '', time: 0 }

/** @throws SignatureFault for what is no date, the 31st of February among them */
export function parseTimestamp(text: string): Timestamp {
  if (text === last.text) return last
  const parts = BASIC.exec(text)
  if (parts !== null) {
    const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts.slice(1).map(Number)
    const time = Date.UTC(year, month - 1, day, hour, minute, second)
    if (year >= 1970 && write(time) === text) {
      last = { text, time }
      return last
    }
  } else if (HTTP_DATE.test(text) && !Number.isNaN(Date.parse(text))) {
    return { text: write(Date.parse(text)), time: Date.parse(text) }
  }
  throw incomplete(
    `Date must be in ISO-8601 'basic format'. Got '${text.slice(0, 64)}'. See http://en.wikipedia.org/wiki/ISO_8601`,
  )
}
