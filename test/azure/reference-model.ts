/** What a vault should answer: a few lines of state a key, and no cryptography. Times in seconds. */
const DAY = 86_400

export type ModelVersion = {
  id: string
  enabled: boolean
  ops: readonly string[]
  nbf?: number
  exp?: number
  created: number
}
export type ModelKey = {
  versions: ModelVersion[]
  imported: boolean
  deletedAt?: number
  /** Days from a version's creation to its successor's. */
  rotateAfter?: number
}
export type Dates = { readonly nbf?: number; readonly exp?: number }

export const datesFit = ({ nbf = 0, exp = Number.POSITIVE_INFINITY }: Dates): boolean => exp > nbf
export const currentOf = (key: ModelKey): ModelVersion => key.versions.at(-1) as ModelVersion

export class Model {
  now: number
  readonly keys = new Map<string, ModelKey>()
  purged = 0
  rotated = 0
  recovered = 0
  restored = 0

  constructor(now: number) {
    this.now = now
  }

  live(name: string): ModelKey | undefined {
    const key = this.keys.get(name)
    return key?.deletedAt === undefined ? key : undefined
  }

  deleted(name: string): ModelKey | undefined {
    const key = this.keys.get(name)
    return key?.deletedAt === undefined ? undefined : key
  }

  names(deleted: boolean): string[] {
    return [...this.keys].filter(([, key]) => (key.deletedAt !== undefined) === deleted).map(([name]) => name)
  }

  remove(name: string): void {
    this.keys.delete(name)
    this.purged++
  }

  /** Keys that the clock gives a new version now, whose ids only the service knows. Removes what has to go. */
  due(): ModelKey[] {
    for (const [name, { deletedAt }] of this.keys) {
      if (deletedAt !== undefined && deletedAt + 90 * DAY <= this.now) this.remove(name)
    }
    return [...this.keys.values()].filter((key) => {
      const { deletedAt, imported, rotateAfter } = key
      if (deletedAt !== undefined || imported || rotateAfter === undefined) return false
      return currentOf(key).created + rotateAfter * DAY <= this.now
    })
  }

  /** The inner code that a use is refused with; undefined when it isn't. */
  refusal(version: ModelVersion, op: 'sign' | 'verify'): string | undefined {
    if (!version.enabled && op === 'sign') return 'KeyDisabled'
    if (!version.ops.includes(op)) return 'KeyOperationForbidden'
    if (op === 'verify') return undefined
    if (version.nbf !== undefined && this.now < version.nbf) return 'KeyNotYetValid'
    return version.exp !== undefined && this.now >= version.exp ? 'KeyExpired' : undefined
  }
}
