/** How far a sink has come, in a file that survives a power failure. Without it everything is sent again. */
import { mkdir, open, readFile, rename } from 'node:fs/promises'
import { dirname } from 'node:path'

export async function readCursor(path: string): Promise<number> {
  try {
    const { seq } = JSON.parse(await readFile(path, 'utf8'))
    return Number.isSafeInteger(seq) && seq >= 0 ? seq : 0
  } catch {
    return 0
  }
}

export async function writeCursor(path: string, seq: number): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const file = await open(`${path}.new`, 'w', 0o600)
  try {
    await file.writeFile(JSON.stringify({ seq }))
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(`${path}.new`, path)
}
