/** Labels: https://cloud.google.com/kms/docs/labeling-keys */
import { badField } from './status.ts'

const FIELD = 'crypto_key.labels'
const MAX_LABELS = 64
const KEY = /^[\p{Ll}\p{Lo}][\p{Ll}\p{Lo}\p{N}_-]{0,62}$/u
const VALUE = /^[\p{Ll}\p{Lo}\p{N}_-]{0,63}$/u

/** @throws RpcError INVALID_ARGUMENT */
export function checkLabels(labels: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const entries = Object.entries(labels)
  if (entries.length > MAX_LABELS) throw badField(FIELD, `A resource can have at most ${MAX_LABELS} labels.`)
  if (!entries.every(([key, value]) => KEY.test(key) && VALUE.test(value))) {
    throw badField(
      FIELD,
      'Invalid labels: keys and values hold at most 63 lowercase letters, digits, dashes and underscores, and a key starts with a letter.',
    )
  }
  return labels
}
