/** The parts of the service model that a request is checked against. `gen/` holds the model in these terms. */

type Bounds = { readonly min?: number; readonly max?: number }

export type StringShape = Bounds & {
  readonly type: 'string'
  /** Anchored at both ends by AWS, whether it says so or not. */
  readonly pattern?: string
  readonly enum?: readonly string[]
  readonly sensitive?: true
}
export type BlobShape = Bounds & { readonly type: 'blob' }
export type IntegerShape = Bounds & { readonly type: 'integer' }
export type ListShape = Bounds & { readonly type: 'list'; readonly member: string }
export type MapShape = { readonly type: 'map'; readonly key: string; readonly value: string }
export type StructureShape = {
  readonly type: 'structure'
  /** Member name to shape name, in the model's order. */
  readonly members: Readonly<Record<string, string>>
  readonly required: readonly string[]
}

export type Shape =
  | StringShape
  | BlobShape
  | IntegerShape
  | ListShape
  | MapShape
  | StructureShape
  | { readonly type: 'boolean' }
  /** Seconds since the epoch, a JSON number. */
  | { readonly type: 'timestamp' }

export type OperationShape = {
  /** Name of the input shape; undefined where the model does not describe the operation yet. */
  readonly input: string | undefined
  /** Name of the output shape; undefined where the answer has no body. */
  readonly output: string | undefined
  /** Names of the error shapes it declares. */
  readonly errors: readonly string[]
}
