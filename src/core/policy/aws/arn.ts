/** AWS's names for what policies are about. */

export type AwsAddress = { readonly account: string; readonly region: string }

export function partitionOf(region: string): string {
  if (region.startsWith('cn-')) return 'aws-cn'
  return region.startsWith('us-gov-') ? 'aws-us-gov' : 'aws'
}

/** `arn:aws:kms:<region>:<account>:` */
export const arnPrefix = ({ account, region }: AwsAddress): string =>
  `arn:${partitionOf(region)}:kms:${region}:${account}:`
export const keyArn = (address: AwsAddress, keyId: string): string => `${arnPrefix(address)}key/${keyId}`
/** `alias` with its `alias/` prefix. */
export const aliasArn = (address: AwsAddress, alias: string): string => `${arnPrefix(address)}${alias}`
export const rootArn = ({ account, region }: AwsAddress): string => `arn:${partitionOf(region)}:iam::${account}:root`
