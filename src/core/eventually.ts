/**
 * A value that may be there already. Awaiting one that is costs a turn of the microtask queue and a promise; a request for
 * a key that is at hand would pay for thirty of them, which was a tenth of its CPU.
 */
export type Eventually<T> = T | Promise<T>

/** `next` runs now if the value is there, and may throw then; else once it is. */
export const andThen = <T, U>(value: Eventually<T>, next: (value: T) => Eventually<U>): Eventually<U> =>
  value instanceof Promise ? value.then(next) : next(value)

/** What `work` comes to, or what `otherwise` makes of its failure, now or later. */
export function orElse<T>(work: () => Eventually<T>, otherwise: (error: unknown) => Eventually<T>): Eventually<T> {
  try {
    const value = work()
    return value instanceof Promise ? value.catch(otherwise) : value
  } catch (error) {
    return otherwise(error)
  }
}
