#!/usr/bin/env node
// Plain JavaScript, so that an older Node gets as far as starting the pinned one, or saying what to do.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const NEEDED = 24
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP']
const pinned = fileURLToPath(new URL('../node_modules/.bin/node', import.meta.url))

function startPinned() {
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
  const { runCli } = await import('../src/cli.ts')
  await runCli(process.argv.slice(2))
} else if (existsSync(pinned)) {
  startPinned()
} else {
  process.stderr.write(
    `trefoil: Node ${NEEDED} or newer is needed and this is ${process.versions.node}: run "npm start", which brings it\n`,
  )
  process.exitCode = 1
}
