/**
 * The token goes while AWS KMS calls: health says so, requests are answered before AWS KMS gives up, and when the token
 * is back so is everything else, without a hand being moved.
 */
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { softHsmMissing, startSoftHsm } from '../support/softhsm.ts'
import { type Answer, b64, decryptBody, encryptBody, type Json } from '../support/xks-kms.ts'
import { startXks } from '../support/xks-server.ts'

const TEXT = b64('a data key')
const PROVEN = { ciphertextDataIntegrityValueAlgorithm: 'SHA_256' }
const CALLERS = 16

/** The process with the vendor's module in it. */
function childOf(pid: number): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean)
  const child = children.find((one) => readFileSync(`/proc/${one}/cmdline`, 'utf8').includes('hsm/worker'))
  if (child === undefined) throw new Error(`no worker among ${children.length} children`)
  return Number(child)
}

/** Callers that never stop asking. */
class Load {
  readonly answers: Answer[] = []
  readonly #ask: () => Promise<Answer>
  readonly #running: Promise<void>[]
  #stopped = false

  constructor(ask: () => Promise<Answer>) {
    this.#ask = ask
    this.#running = Array.from({ length: CALLERS }, () => this.#run())
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      this.answers.push(await this.#ask())
      await sleep(1)
    }
  }

  /** Waits for so many more answers. */
  async more(count: number): Promise<readonly Answer[]> {
    const from = this.answers.length
    while (this.answers.length < from + count) await sleep(5)
    return this.answers.slice(from)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all(this.#running)
  }
}

type Fault = { readonly name: string; begin(): Promise<void> | void; end(): Promise<void> | void }

t.test('a token under load', { skip: softHsmMissing ?? false }, async (t) => {
  const hsm = await startSoftHsm()
  t.teardown(() => hsm.close())
  const [entry] = hsm.config.hsm
  const server = await startXks({
    env: hsm.env,
    // The token's own deadline is far away: what is answered before it is answered by the exposure's.
    config: { hsm: [{ ...entry, deadlineMs: 60_000 }], defaultBackend: 'pkcs11:soft' },
    exposure: { deadlineMs: 500 },
  })
  t.teardown(() => server.stop())
  await server.makeRaw('raw')
  const kms = server.caller('a', server.first)
  const encrypt = () => kms.ask('keys/raw/encrypt', encryptBody(TEXT, PROVEN))
  const health = async () => {
    const asked = { requestMetadata: { kmsOperation: 'KmsHealthCheck', kmsRequestId: randomUUID() } }
    return (await kms.ask('health', asked)).json.ekmFleetDetails as readonly Json[]
  }
  t.match(await health(), [{ id: 'pkcs11:soft', model: /SoftHSM/, healthStatus: 'ACTIVE' }])
  const load = new Load(encrypt)
  t.teardown(() => load.stop())
  const before = (await load.more(CALLERS)).find(({ status }) => status === 200)
  const worker = () => childOf(server.trefoil.pid)
  let stopped = 0
  const tokens = [join(hsm.directory, 'tokens'), join(hsm.directory, 'away')] as const
  const faults: readonly Fault[] = [
    {
      name: 'it hangs',
      begin: () => {
        stopped = worker()
        process.kill(stopped, 'SIGSTOP')
      },
      end: () => void process.kill(stopped, 'SIGCONT'),
    },
    {
      name: 'it is taken away',
      begin: async () => {
        await rename(...tokens)
        process.kill(worker(), 'SIGKILL')
      },
      end: () => rename(tokens[1], tokens[0]),
    },
  ]
  for (const fault of faults) await t.test(fault.name, (t) => suffers(t, fault))
  await t.test('its process is killed', async (t) => {
    process.kill(worker(), 'SIGKILL')
    await recovered(t)
  })

  async function suffers(t: Test, fault: Fault): Promise<void> {
    await fault.begin()
    try {
      const failed = (await load.more(3 * CALLERS)).filter(({ status }) => status !== 200)
      t.ok(failed.length >= CALLERS, 'what was asked since has no other answer')
      for (const { status, text } of failed) t.ok([429, 500, 503].includes(status), `${status} ${text}`)
      for (;;) {
        const [member] = await health()
        if (member?.healthStatus === 'UNAVAILABLE') break
        await sleep(100)
      }
    } finally {
      await fault.end()
    }
    await recovered(t)
  }

  async function recovered(t: Test): Promise<void> {
    let after: Answer | undefined
    while (after === undefined) after = (await load.more(1)).find(({ status }) => status === 200)
    for (;;) {
      const [member] = await health()
      if (member?.healthStatus !== 'UNAVAILABLE') break
      await sleep(100)
    }
    for (const { json } of [before, after].filter((one) => one !== undefined)) {
      const opened = await retried(() => kms.ask('keys/raw/decrypt', decryptBody(json)))
      t.same(opened.json, { plaintext: TEXT }, 'the same key as ever')
    }
  }
})

/** Under load, and while the token comes back, any one request may be told to come again. */
async function retried(ask: () => Promise<Answer>): Promise<Answer> {
  for (;;) {
    const answer = await ask()
    if (answer.status === 200) return answer
    await sleep(20)
  }
}
