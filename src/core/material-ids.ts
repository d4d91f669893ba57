/**
 * Ids of material that has no public half: keyed by a secret of the installation, so that the same bytes have the same id
 * in every dialect, and an id is of no use to guess the bytes by.
 */
import { createHash, createHmac, type KeyObject } from 'node:crypto'
import type { KeySpec } from './algorithm.ts'
import type { Secret } from './secret.ts'

const labelOf = (spec: KeySpec): string => `trefoil material ${spec}\0`

export class MaterialIds {
  readonly #key: KeyObject

  constructor(key: KeyObject) {
    this.#key = key
  }

  of(spec: KeySpec, material: Secret): string {
    return material.use((bytes) => createHmac('sha256', this.#key).update(labelOf(spec)).update(bytes).digest('hex'))
  }
}

/** As versions were named before ids were keyed: they keep what they have. */
export const unkeyedId = (spec: KeySpec, material: Secret): string =>
  material.use((bytes) => createHash('sha256').update(labelOf(spec)).update(bytes).digest('hex'))
