/** AWS's names for what policies are about. */
import type { Key } from '../../key.ts'

export type AwsAddress = { readonly account: string; readonly region: string }

export function partitionOf(region: string): string {
  if (region.startsWith('cn-')) return 'aws-cn'
  return region.startsWith('us-gov-') ? 'aws-us-gov' : 'aws'
}

/** `arn:aws:kms:<region>:<account>:` */
export const arnPrefix = ({ account, region }: AwsAddress): string =>
  `arn:${partitionOf(region)}:kms:${region}:${account}:`
/** AWS's id of a key: the one that it shares with keys of other Regions, or its own. */
export const awsKeyId = ({ id, multiRegion }: Pick<Key, 'id' | 'multiRegion'>): string => multiRegion?.id ?? id
export const keyArn = (address: AwsAddress, keyId: string): string => `${arnPrefix(address)}key/${keyId}`
export const arnOfKey = (address: AwsAddress, key: Pick<Key, 'id' | 'multiRegion'>): string =>
  keyArn(address, awsKeyId(key))
/** `alias` with its `alias/` prefix. */
export const aliasArn = (address: AwsAddress, alias: string): string => `${arnPrefix(address)}${alias}`
export const rootArn = ({ account, region }: AwsAddress): string => `arn:${partitionOf(region)}:iam::${account}:root`
