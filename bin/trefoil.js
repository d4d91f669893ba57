#!/usr/bin/env node
// Plain JavaScript, so that an older Node gets as far as starting the pinned one, or saying what to do.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const NEEDED = 24
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP']
/** The package holds JavaScript, the repository what it is made of. */
const source = fileURLToPath(new URL('../src/cli.ts', import.meta.url))
const entry = existsSync(source) ? source : source.replace(/ts$/, 'js')

/** Where npm has put the Node that package.json pins for this machine: beside the package, or in it. */
function findPinned() {
  const { platform, arch } = process
  const name = `node-${platform === 'win32' ? 'win' : platform}-${arch}`
  try {
    const directory = dirname(createRequire(import.meta.url).resolve(`${name}/package.json`))
    return join(directory, 'bin', platform === 'win32' ? 'node.exe' : 'node')
  } catch {
    return ''
  }
}

function startPinned(pinned) {
  const child = spawn(pinned, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit' })
  // A terminal sends its signals to both; who stops this process by its id has to reach the server too.
  for (const signal of SIGNALS) process.on(signal, () => child.kill(signal))
  child.once('exit', (code, signal) => {
    process.exitCode = code ?? 1
    if (signal === null) return
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  })
}

if (Number(process.versions.node.split('.')[0]) >= NEEDED) {
  const { runCli } = await import(pathToFileURL(entry).href)
  await runCli(process.argv.slice(2))
} else if (existsSync(findPinned())) {
  startPinned(findPinned())
} else {
  process.stderr.write(
    `trefoil: Node ${NEEDED} or newer is needed and this is ${process.versions.node}: run "npm start", which brings it\n`,
  )
  process.exitCode = 1
}
