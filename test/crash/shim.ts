/** Libraries that are loaded in front of libc. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'

/** `name`: of the C file beside this one; @returns where the library is, for LD_PRELOAD */
export function compileShim(directory: string, name: 'unsynced' | 'io-error'): string {
  const shim = join(directory, `${name}.so`)
  const source = new URL(`${name}.c`, import.meta.url).pathname
  execFileSync('cc', ['-shared', '-fPIC', '-O2', '-o', shim, source, '-ldl', '-lpthread'])
  return shim
}
