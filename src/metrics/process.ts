/** The process, under the names that every Prometheus client gives these facts. */
import { readdirSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Registry } from './registry.ts'

const one = (value: number) => [{ labels: [], value }]
const DELAY_RESOLUTION_MS = 20
const QUANTILES = [50, 99]

function openFiles(): number {
  return readdirSync('/proc/self/fd').length
}

/** @returns what stops the measuring */
export function watchProcess(registry: Registry): () => void {
  const started = Date.now() / 1000 - process.uptime()
  const gauge = (name: string, help: string, read: () => number): void =>
    registry.watch('gauge', { name, help, labels: [] }, () => one(read()))
  registry.watch(
    'counter',
    { name: 'process_cpu_seconds_total', help: 'CPU time of all threads, user and system.', labels: [] },
    () => one((process.cpuUsage().user + process.cpuUsage().system) / 1e6),
  )
  gauge('process_resident_memory_bytes', 'Resident memory.', () => process.memoryUsage.rss())
  gauge('process_start_time_seconds', 'When the process started, seconds since the epoch.', () => started)
  gauge('process_open_fds', 'Open file descriptors.', openFiles)
  gauge('nodejs_heap_size_used_bytes', 'Used part of the heap.', () => process.memoryUsage().heapUsed)
  const delay = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MS })
  delay.enable()
  watchDelay(registry, delay)
  return () => void delay.disable()
}

/** Since the last look: a quantile over the whole life of the process would not move any more. */
function watchDelay(registry: Registry, delay: ReturnType<typeof monitorEventLoopDelay>): void {
  registry.watch(
    'gauge',
    {
      name: 'nodejs_eventloop_delay_seconds',
      help: 'How late the event loop was, since it was last asked.',
      labels: ['quantile'],
    },
    () => {
      const points = QUANTILES.map((quantile) => ({
        labels: [String(quantile / 100)],
        value: Math.max(0, delay.percentile(quantile) / 1e9 - DELAY_RESOLUTION_MS / 1000),
      }))
      delay.reset()
      return points
    },
  )
}
