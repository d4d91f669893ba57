/** Addresses and ranges of them (CIDR), for conditions on where a request comes from. */

export type IpRange = { readonly bits: 32 | 128; readonly address: bigint; readonly prefix: number }

const OCTET = /^(?:0|[1-9]\d{0,2})$/
const GROUP = /^[0-9a-f]{1,4}$/i

function parseV4(text: string): bigint | undefined {
  const octets = text.split('.')
  if (octets.length !== 4 || !octets.every((octet) => OCTET.test(octet) && Number(octet) < 256)) return undefined
  return octets.reduce((address, octet) => (address << 8n) | BigInt(octet), 0n)
}

/** The last two groups may be an IPv4 address (RFC 4291 section 2.2). */
function groupsOf(text: string): readonly string[] | undefined {
  if (text === '') return []
  const groups = text.split(':')
  const last = groups.at(-1) ?? ''
  if (!last.includes('.')) return groups
  const v4 = parseV4(last)
  if (v4 === undefined) return undefined
  return [...groups.slice(0, -1), (v4 >> 16n).toString(16), (v4 & 0xffffn).toString(16)]
}

function parseV6(text: string): bigint | undefined {
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const [head, tail] = [groupsOf(halves[0] ?? ''), groupsOf(halves[1] ?? '')]
  if (head === undefined || tail === undefined) return undefined
  const missing = 8 - head.length - tail.length
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined
  const groups = [...head, ...Array<string>(missing).fill('0'), ...tail]
  if (!groups.every((group) => GROUP.test(group))) return undefined
  return groups.reduce((address, group) => (address << 16n) | BigInt(`0x${group}`), 0n)
}

const MAPPED = 0xffffn
/** One address. IPv4 in IPv6 (`::ffff:192.0.2.1`), as sockets that take both report it, is IPv4. */
export function parseAddress(text: string): Omit<IpRange, 'prefix'> | undefined {
  const v4 = parseV4(text)
  if (v4 !== undefined) return { bits: 32, address: v4 }
  const v6 = parseV6(text)
  if (v6 === undefined) return undefined
  return v6 >> 32n === MAPPED ? { bits: 32, address: v6 & 0xffff_ffffn } : { bits: 128, address: v6 }
}

/** An address, or a range as `192.0.2.0/24`. */
export function parseRange(text: string): IpRange | undefined {
  const [start = '', length, ...rest] = text.split('/')
  const address = parseAddress(start)
  if (address === undefined || rest.length > 0) return undefined
  const prefix = length === undefined ? address.bits : /^\d{1,3}$/.test(length) ? Number(length) : -1
  return prefix >= 0 && prefix <= address.bits ? { ...address, prefix } : undefined
}

export function contains({ bits, address, prefix }: IpRange, text: string): boolean {
  const given = parseAddress(text)
  if (given === undefined || given.bits !== bits) return false
  const shift = BigInt(bits - prefix)
  return given.address >> shift === address >> shift
}
