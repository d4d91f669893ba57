/** As much of DER (X.690) as key material needs: definite lengths, low tag numbers. */

export const TAG = { integer: 0x02, octetString: 0x04, sequence: 0x30 } as const

export type DerValue = { readonly tag: number; readonly content: Uint8Array; readonly rest: Uint8Array }

/** The first value of `bytes`; undefined if there is no whole one. */
export function readDer(bytes: Uint8Array): DerValue | undefined {
  const [tag, first] = bytes
  if (tag === undefined || first === undefined) return undefined
  let length = first
  let offset = 2
  if (first & 0x80) {
    const count = first & 0x7f
    if (count === 0 || count > 3) return undefined
    length = 0
    for (const byte of bytes.subarray(offset, offset + count)) length = length * 256 + byte
    offset += count
  }
  const end = offset + length
  return end > bytes.length ? undefined : { tag, content: bytes.subarray(offset, end), rest: bytes.subarray(end) }
}

/** The values one after another in `content`; undefined if it does not end where the last one does. */
export function readDerAll(content: Uint8Array): readonly DerValue[] | undefined {
  const values: DerValue[] = []
  let rest = content
  while (rest.length > 0) {
    const value = readDer(rest)
    if (value === undefined) return undefined
    values.push(value)
    rest = value.rest
  }
  return values
}

/** An unsigned integer's bytes without the sign octet. */
export const unsigned = (content: Uint8Array): Uint8Array =>
  content.length > 1 && content[0] === 0 ? content.subarray(1) : content
