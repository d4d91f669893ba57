/**
 * Loaded into a server with --import: on SIGUSR2 the 99th percentile of its event loop's delay since the last time goes to
 * LOOP_DELAY_FILE, in ms.
 */
import { renameSync, writeFileSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'

const file = process.env.LOOP_DELAY_FILE
if (file !== undefined) {
  const delays = monitorEventLoopDelay({ resolution: 1 })
  delays.enable()
  process.on('SIGUSR2', () => {
    writeFileSync(`${file}.new`, String(delays.percentile(99) / 1e6))
    renameSync(`${file}.new`, file)
    delays.reset()
  })
}
