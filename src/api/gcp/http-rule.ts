/**
 * google.api.http path templates (google/api/http.proto, "Path template syntax"), compiled once into a tree by segment.
 * Paths are matched as they are written in the URL and decoded after: an escaped slash or colon separates nothing.
 */
import { badArgument } from './status.ts'

export type HttpRule = {
  readonly method: string
  /** `/v1/{name=projects/*}/locations:verb` */
  readonly template: string
  /** `*`, a field's name, or nothing. */
  readonly body: string
}

/** Where a variable's text is: segments from `from` up to `to`, or to the end of the path. */
type Variable = { readonly field: string; readonly from: number; readonly to: number | undefined }
type Leaf<T> = { readonly variables: readonly Variable[]; readonly target: T }
type Node<T> = {
  readonly literals: Map<string, Node<T>>
  one: Node<T> | undefined
  /** `**`: one segment or more, always last. */
  many: Node<T> | undefined
  /** By HTTP method and verb. */
  readonly leaves: Map<string, Leaf<T>>
}

const newNode = <T>(): Node<T> => ({ literals: new Map(), one: undefined, many: undefined, leaves: new Map() })
const leafKey = (method: string, verb: string): string => `${method}:${verb}`

export type Matched<T> = { readonly target: T; readonly variables: readonly (readonly [field: string, text: string])[] }

type Parsed = { readonly segments: readonly string[]; readonly verb: string; readonly variables: readonly Variable[] }

function parseTemplate(template: string): Parsed {
  const colon = template.lastIndexOf(':')
  const verb = colon > template.lastIndexOf('}') && colon > template.lastIndexOf('/') ? template.slice(colon + 1) : ''
  const path = verb === '' ? template : template.slice(0, colon)
  const segments: string[] = []
  const variables: Variable[] = []
  for (const [, braced, plain] of path.matchAll(/\{([^}]*)\}|([^/{}]+)/g)) {
    if (plain !== undefined) {
      segments.push(plain)
      continue
    }
    const [field = '', inner = '*'] = (braced ?? '').split('=')
    const parts = inner.split('/')
    const from = segments.length
    segments.push(...parts)
    variables.push({ field, from, to: parts.includes('**') ? undefined : from + parts.length })
  }
  return { segments, verb, variables }
}

function child<T>(node: Node<T>, segment: string): Node<T> {
  if (segment === '**') {
    node.many ??= newNode()
    return node.many
  }
  if (segment === '*') {
    node.one ??= newNode()
    return node.one
  }
  const known = node.literals.get(segment) ?? newNode<T>()
  node.literals.set(segment, known)
  return known
}

/** Escapes of slashes stay: the text spans segments, and they would make new ones. */
function decodeSegment(text: string): string {
  if (!text.includes('%')) return text
  try {
    return text
      .split(/(%2f)/i)
      .map((part, index) => (index % 2 === 1 ? part : decodeURIComponent(part)))
      .join('')
  } catch {
    throw badArgument('The URL path is not valid UTF-8.')
  }
}

export class RouteTree<T> {
  readonly #root: Node<T> = newNode()

  /** Where two templates fit one path, literals win over `*`, and `*` over `**`. */
  add(rule: HttpRule, target: T): void {
    const { segments, verb, variables } = parseTemplate(rule.template)
    const node = segments.reduce(child, this.#root)
    const key = leafKey(rule.method, verb)
    if (node.leaves.has(key)) throw new TypeError(`two routes for ${rule.method} ${rule.template}`)
    node.leaves.set(key, { variables, target })
  }

  /** @param path as in the URL, without its query */
  match(method: string, path: string): Matched<T> | undefined {
    const segments = path.slice(1).split('/')
    if (segments.includes('')) return undefined
    const last = segments.length - 1
    const tail = segments[last] as string
    // A colon in the last segment always begins a verb.
    const colon = tail.lastIndexOf(':')
    const verb = colon === -1 ? '' : tail.slice(colon + 1)
    if (colon === 0 || (colon > 0 && verb === '')) return undefined
    if (colon > 0) segments[last] = tail.slice(0, colon)
    const leaf = find(this.#root, segments, 0, leafKey(method, verb))
    return leaf === undefined ? undefined : bindVariables(leaf, segments)
  }
}

/** Backtracks; its depth and branching are those of the templates. */
function find<T>(node: Node<T>, segments: readonly string[], at: number, key: string): Leaf<T> | undefined {
  const segment = segments[at]
  if (segment === undefined) return node.leaves.get(key)
  const literal = node.literals.get(segment)
  const exact = literal && find(literal, segments, at + 1, key)
  if (exact !== undefined) return exact
  const single = node.one && find(node.one, segments, at + 1, key)
  return single ?? node.many?.leaves.get(key)
}

function bindVariables<T>({ target, variables }: Leaf<T>, segments: readonly string[]): Matched<T> {
  return {
    target,
    variables: variables.map(
      ({ field, from, to }) => [field, decodeSegment(segments.slice(from, to).join('/'))] as const,
    ),
  }
}
