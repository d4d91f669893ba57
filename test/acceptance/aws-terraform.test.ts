/** Terraform with the unmodified AWS provider: what it made is what it finds, and it can take it away again. */
import { createPublicKey } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { DescribeKeyCommand, KMSClient, ListAliasesCommand, ListKeysCommand } from '@aws-sdk/client-kms'
import t from 'tap'
import { startTrefoil } from '../support/process.ts'
import { startSoftHsm } from '../support/softhsm.ts'
import { selfSigned } from '../support/xks-proxy.ts'
import { awsEnvironment, CREDENTIALS, enforcing, hasTool, run } from './aws-tools.ts'

const PROVIDER = 'registry.terraform.io/hashicorp/aws'
const MINUTE = 60_000
const CLUSTER = 'cluster-234567abcde'
const PASSWORD = 'kmsPswd-of-the-tests'

/** A folder in the layout of a filesystem mirror that holds the provider; registries are not asked. */
function findMirror(): string | undefined {
  const parents = ['/opt', '/usr/share/terraform', '/usr/local/share/terraform', join(homedir(), '.terraform.d')]
  const folders = parents
    .filter((folder) => existsSync(folder))
    .flatMap((parent) => readdirSync(parent).map((name) => join(parent, name)))
  return folders.find((folder) => existsSync(join(folder, PROVIDER)))
}

type Stage = {
  readonly description: string
  readonly team: string
  readonly period: number
  /** Turned off and on by turns. */
  readonly first: boolean
  readonly target: string
}
const FIRST: Stage = { description: 'made by terraform', team: 'one', period: 180, first: true, target: 'symmetric' }
/** Every change is made in place. */
const SECOND: Stage = { description: 'changed by terraform', team: 'two', period: 90, first: false, target: 'other' }

const provider = (region: string, endpoint: string, alias?: string): string => `
provider "aws" {
  ${alias === undefined ? '' : `alias = "${alias}"`}
  region                  = "${region}"
  access_key              = "${CREDENTIALS.accessKeyId}"
  secret_key              = "${CREDENTIALS.secretAccessKey}"
  skip_metadata_api_check = true
  endpoints {
    kms = "${endpoint}"
    sts = "${endpoint}"
  }
}`

const configuration = (endpoint: string, stage: Stage, trustAnchor: string): string => `
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}
${provider('us-east-1', endpoint)}
${provider('us-west-2', endpoint, 'west')}
resource "aws_kms_key" "symmetric" {
  description             = "${stage.description}"
  deletion_window_in_days = 7
  enable_key_rotation     = true
  rotation_period_in_days = ${stage.period}
  tags                    = { team = "${stage.team}", empty = "" }
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Sid = "${stage.team}", Effect = "Allow", Principal = { AWS = "arn:aws:iam::000000000000:root" }, Action = "kms:*", Resource = "*" },
      { Effect = "Allow", Principal = { Service = "logs.amazonaws.com" }, Action = ["kms:Encrypt*", "kms:Decrypt*"], Resource = "*" },
    ]
  })
}
resource "aws_kms_custom_key_store" "token" {
  cloud_hsm_cluster_id     = "${CLUSTER}"
  custom_key_store_name    = "token of team ${stage.team}"
  key_store_password       = "${PASSWORD}"
  trust_anchor_certificate = file("${trustAnchor}")
}
resource "aws_kms_key" "other" {
  enable_key_rotation = ${stage.first}
}
resource "aws_kms_key" "ecc" {
  customer_master_key_spec = "ECC_NIST_P384"
  key_usage                = "SIGN_VERIFY"
  is_enabled               = ${stage.first}
}
resource "aws_kms_key" "rsa" {
  customer_master_key_spec = "RSA_2048"
  key_usage                = "SIGN_VERIFY"
}
resource "aws_kms_key" "mac" {
  customer_master_key_spec = "HMAC_256"
  key_usage                = "GENERATE_VERIFY_MAC"
  is_enabled               = ${!stage.first}
}
resource "aws_kms_key_policy" "other" {
  key_id = aws_kms_key.other.id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { AWS = "arn:aws:iam::000000000000:root" }, Action = "kms:*", Resource = "*" }]
  })
}
resource "aws_kms_grant" "symmetric" {
  name              = "by-terraform"
  key_id            = aws_kms_key.symmetric.key_id
  grantee_principal = "arn:aws:iam::000000000000:user/acceptance"
  operations        = ["Encrypt", "Decrypt", "DescribeKey"]
  constraints {
    encryption_context_equals = { purpose = "acceptance" }
  }
}
resource "aws_kms_external_key" "own" {
  description             = "brought along"
  key_material_base64     = "${Buffer.alloc(32, 7).toString('base64')}"
  enabled                 = true
  deletion_window_in_days = 7
}
resource "aws_kms_key" "primary" {
  multi_region            = true
  deletion_window_in_days = 7
}
resource "aws_kms_replica_key" "west" {
  provider                = aws.west
  primary_key_arn         = aws_kms_key.primary.arn
  deletion_window_in_days = 7
}
resource "aws_kms_external_key" "primary" {
  multi_region            = true
  key_material_base64     = "${Buffer.alloc(32, 9).toString('base64')}"
  enabled                 = true
  deletion_window_in_days = 7
}
resource "aws_kms_replica_external_key" "west" {
  provider                = aws.west
  primary_key_arn         = aws_kms_external_key.primary.arn
  key_material_base64     = "${Buffer.alloc(32, 9).toString('base64')}"
  enabled                 = true
  deletion_window_in_days = 7
}
resource "aws_kms_alias" "symmetric" {
  name          = "alias/by-terraform"
  target_key_id = aws_kms_key.${stage.target}.key_id
}
resource "aws_kms_ciphertext" "box" {
  key_id    = aws_kms_key.symmetric.key_id
  plaintext = "attack at dawn"
  context   = { purpose = "acceptance" }
}
data "aws_kms_key" "symmetric" {
  key_id = aws_kms_key.symmetric.arn
}
data "aws_kms_alias" "symmetric" {
  name       = aws_kms_alias.symmetric.name
  depends_on = [aws_kms_alias.symmetric]
}
data "aws_kms_public_key" "rsa" {
  key_id = aws_kms_key.rsa.key_id
}
data "aws_kms_secrets" "box" {
  secret {
    name    = "box"
    payload = aws_kms_ciphertext.box.ciphertext_blob
    context = { purpose = "acceptance" }
  }
}
output "arn" { value = aws_kms_key.symmetric.arn }
output "found" { value = data.aws_kms_key.symmetric.arn }
output "description" { value = aws_kms_key.symmetric.description }
output "target" { value = data.aws_kms_alias.symmetric.target_key_arn }
output "pem" { value = data.aws_kms_public_key.rsa.public_key_pem }
output "opened" {
  value     = data.aws_kms_secrets.box.plaintext["box"]
  sensitive = true
}
`

// The provider alone takes several seconds for each of terraform's runs.
t.setTimeout(10 * MINUTE)
const mirror = findMirror()
const missing = hasTool('terraform') ? (mirror === undefined ? 'terraform-provider-aws' : undefined) : 'terraform'

t.test(
  'apply, change in place, an empty plan after each, destroy',
  { skip: missing === undefined ? false : `no tool: ${missing}` },
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'trefoil-terraform-'))
    const hsm = await startSoftHsm()
    const trustAnchor = join(folder, 'anchor.pem')
    writeFileSync(trustAnchor, (await selfSigned('cluster.example')).cert)
    const cluster = { id: CLUSTER, hsm: 'soft', trustAnchor, password: { env: 'CLUSTER_PASSWORD' } }
    const config = { hsm: hsm.config.hsm, keyStores: { clusters: [cluster] } }
    const trefoil = await startTrefoil(enforcing({ config, env: { ...hsm.env, CLUSTER_PASSWORD: PASSWORD } }))
    t.teardown(async () => {
      await trefoil.stop()
      await hsm.close()
      rmSync(folder, { recursive: true })
    })
    const write = (stage: Stage) =>
      writeFileSync(join(folder, 'main.tf'), configuration(trefoil.plainUrl, stage, trustAnchor))
    writeFileSync(join(folder, 'cli.tfrc'), `provider_installation {\n  filesystem_mirror { path = "${mirror}" }\n}\n`)
    const env = {
      ...awsEnvironment(),
      TF_CLI_CONFIG_FILE: join(folder, 'cli.tfrc'),
      TF_IN_AUTOMATION: '1',
      CHECKPOINT_DISABLE: '1',
    }
    const terraform = (...args: string[]) =>
      run('terraform', [...args, '-no-color'], { env, cwd: folder, timeoutMs: 5 * MINUTE })
    const ok = async (...args: string[]) => {
      const { code, stdout, stderr } = await terraform(...args)
      t.equal(code, 0, `terraform ${args.join(' ')}${code === 0 ? '' : `: ${stderr}${stdout}`}`)
      return stdout
    }

    const outputs = async (): Promise<Record<string, string>> => {
      const shown: Record<string, { value: string }> = JSON.parse(await ok('output', '-json'))
      return Object.fromEntries(Object.entries(shown).map(([name, { value }]) => [name, value]))
    }
    /** What was applied is what is found: the next plan has nothing to do. */
    const apply = async (stage: Stage, changes: RegExp) => {
      write(stage)
      t.match(await ok('apply', '-auto-approve', '-input=false'), changes)
      const plan = await terraform('plan', '-detailed-exitcode', '-input=false')
      t.equal(plan.code, 0, `the next plan is empty${plan.code === 0 ? '' : `: ${plan.stdout}${plan.stderr}`}`)
    }

    write(FIRST)
    await ok('init', '-input=false')
    await apply(FIRST, /Resources: 15 added, 0 changed, 0 destroyed/)
    const { arn = '', pem = '', ...made } = await outputs()
    t.match(arn, /^arn:aws:kms:us-east-1:\d{12}:key\//)
    t.match(made, { found: arn, target: arn, opened: 'attack at dawn' })
    t.equal(createPublicKey(pem).asymmetricKeyDetails?.modulusLength, 2048)

    await apply(SECOND, /Resources: 0 added, 6 changed, 0 destroyed/)
    const changed = await outputs()
    t.match(changed, { arn, description: SECOND.description, opened: 'attack at dawn' })
    t.not(changed.target, arn)
    await ok('destroy', '-auto-approve', '-input=false')
    const client = new KMSClient({
      endpoint: trefoil.plainUrl,
      region: 'us-east-1',
      credentials: CREDENTIALS,
    })
    const { Keys = [] } = await client.send(new ListKeysCommand({}))
    t.equal(Keys.length, 8)
    const states = Keys.map(async ({ KeyId }) => (await client.send(new DescribeKeyCommand({ KeyId }))).KeyMetadata)
    for (const { KeyState, MultiRegion } of (await Promise.all(states)).filter((metadata) => metadata !== undefined)) {
      t.equal(KeyState, MultiRegion === true ? 'PendingReplicaDeletion' : 'PendingDeletion')
    }
    t.same((await client.send(new ListAliasesCommand({}))).Aliases, [])
    client.destroy()
  },
)
