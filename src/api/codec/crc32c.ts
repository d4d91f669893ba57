/** CRC-32C (Castagnoli; RFC 3720 appendix B.4), eight bytes at a step over tables ("slicing by 8"). */

/** 0x1edc6f41 with its bits reversed. */
const POLYNOMIAL = 0x82f63b78

/** Eight tables of 256: entry `n` of table `k` is the remainder of byte `n` followed by `k` zero bytes. */
function makeTables(): Int32Array {
  const tables = new Int32Array(8 * 256)
  for (let byte = 0; byte < 256; byte++) {
    let remainder = byte
    for (let bit = 0; bit < 8; bit++) remainder = remainder & 1 ? (remainder >>> 1) ^ POLYNOMIAL : remainder >>> 1
    tables[byte] = remainder
  }
  for (let index = 256; index < tables.length; index++) {
    const shorter = tables[index - 256] as number
    tables[index] = (shorter >>> 8) ^ (tables[shorter & 255] as number)
  }
  return tables
}
const TABLES = makeTables()
const entry = (table: number, byte: number): number => TABLES[(table << 8) | (byte & 255)] as number

/** The checksum as an unsigned 32-bit number. */
export function crc32c(bytes: Uint8Array): number {
  let crc = -1
  let at = 0
  for (const whole = bytes.length - 7; at < whole; at += 8) {
    crc ^=
      (bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24)
    crc =
      entry(7, crc) ^
      entry(6, crc >>> 8) ^
      entry(5, crc >>> 16) ^
      entry(4, crc >>> 24) ^
      entry(3, bytes[at + 4] as number) ^
      entry(2, bytes[at + 5] as number) ^
      entry(1, bytes[at + 6] as number) ^
      entry(0, bytes[at + 7] as number)
  }
  for (; at < bytes.length; at++) crc = (crc >>> 8) ^ entry(0, crc ^ (bytes[at] as number))
  return ~crc >>> 0
}
