import { AwsError } from './aws-error.ts'
import type { Tag } from './gen/types.ts'

export const MAX_TAGS = 50
const refused = (message: string): AwsError => new AwsError('TagException', message)

/** @throws AwsError TagException, as recorded from the service */
export function checkTagNames(names: readonly string[]): void {
  if (names.some((name) => name.toLowerCase().startsWith('aws:')))
    throw refused('Tags beginning with aws: are reserved')
}

/** @throws AwsError TagException, as recorded from the service */
export function readTags(tags: readonly Tag[]): Readonly<Record<string, string>> {
  const names = tags.map((tag) => tag.TagKey)
  if (new Set(names).size !== names.length) throw refused('Duplicate tag keys')
  if (names.length > MAX_TAGS) throw refused('Too many tags')
  checkTagNames(names)
  return Object.fromEntries(tags.map((tag) => [tag.TagKey, tag.TagValue]))
}

/** By key, so that pages are stable. */
export const writeTags = (tags: Readonly<Record<string, string>>): readonly Tag[] =>
  Object.entries(tags)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([TagKey, TagValue]) => ({ TagKey, TagValue }))
