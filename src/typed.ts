/** What is typed in: never an argument, never echoed, one line each; from a pipe likewise. */
import { spawnSync } from 'node:child_process'
import { readSync, writeSync } from 'node:fs'
import { isatty } from 'node:tty'
import { Problem } from './core/problem.ts'
import { Secret } from './core/secret.ts'

const MAX_LINE = 4096
const [STDIN, STDERR] = [0, 2]

function echo(on: boolean): void {
  if (isatty(STDIN)) spawnSync('stty', [on ? 'echo' : '-echo'], { stdio: ['inherit', 'ignore', 'ignore'] })
}

/** Byte by byte: what follows the line is the next one's. */
function readLine(what: string): Buffer {
  const line = Buffer.alloc(MAX_LINE)
  const byte = Buffer.alloc(1)
  let length = 0
  for (;;) {
    let read: number
    try {
      read = readSync(STDIN, byte)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'EAGAIN') continue
      throw new Problem(`${what} can not be read`, 'type it in, or give it on the standard input', { cause: error })
    }
    if (read === 0 || byte[0] === 0x0a) break
    if (length === MAX_LINE) throw new Problem(`${what} is too long`, 'take one of fewer than 4,096 bytes')
    line[length++] = byte[0] ?? 0
  }
  if (line[length - 1] === 0x0d) length -= 1
  const typed = Buffer.from(line.subarray(0, length))
  line.fill(0)
  return typed
}

/** @throws Problem where nothing is typed */
export function typedSecret(what: string): Secret {
  if (isatty(STDIN)) writeSync(STDERR, `${what}: `)
  echo(false)
  try {
    const line = readLine(what)
    if (line.length === 0) throw new Problem(`${what} is missing`, 'type it in, or give it on the standard input')
    return new Secret(Uint8Array.from(line))
  } finally {
    echo(true)
    if (isatty(STDIN)) writeSync(STDERR, '\n')
  }
}

/** Asked for twice at a terminal. @throws Problem */
export function newTypedSecret(what: string): Secret {
  const secret = typedSecret(what)
  if (!isatty(STDIN)) return secret
  const again = typedSecret(`${what} again`)
  const same = secret.use((one) => again.use((other) => Buffer.compare(one, other) === 0))
  again.wipe()
  if (same) return secret
  secret.wipe()
  throw new Problem(`${what} was typed differently`, 'type it again')
}
