/** A listener's address that can't be had, in words for the operator. */
import { authority, type ListenerConfig } from '../../config.ts'
import { Problem } from '../../core/problem.ts'

export function bindProblem(config: ListenerConfig, error: NodeJS.ErrnoException): Problem {
  const name = authority(config.address, config.port)
  const setting = config.tls === undefined ? 'TREFOIL_PORT' : 'TREFOIL_TLS_PORT'
  switch (error.code) {
    case 'EADDRINUSE':
      return new Problem(
        `${name} is taken by another process`,
        `stop that process, or set ${setting} to another port (0 picks a free one)`,
      )
    case 'EACCES':
      return new Problem(`this user may not bind ${name}`, `set ${setting} to a port above 1023`)
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new Problem(
        `${config.address} is not an address of this machine`,
        'set TREFOIL_HOST to 127.0.0.1 or 0.0.0.0',
      )
    default:
      return new Problem(`${name} cannot be bound (${error.code ?? 'unknown error'})`, 'set another address or port', {
        cause: error,
      })
  }
}
