/** Terraform with the unmodified AWS provider: what it made is what it finds, and it can take it away again. */
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { startTrefoil } from '../support/process.ts'
import { awsEnvironment, hasTool, run } from './aws-tools.ts'

const PROVIDER = 'registry.terraform.io/hashicorp/aws'
const MINUTE = 60_000

/** A folder in the layout of a filesystem mirror that holds the provider; registries are not asked. */
function findMirror(): string | undefined {
  const parents = ['/opt', '/usr/share/terraform', '/usr/local/share/terraform', join(homedir(), '.terraform.d')]
  const folders = parents
    .filter((folder) => existsSync(folder))
    .flatMap((parent) => readdirSync(parent).map((name) => join(parent, name)))
  return folders.find((folder) => existsSync(join(folder, PROVIDER)))
}

const configuration = (endpoint: string): string => `
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}
provider "aws" {
  region                      = "us-east-1"
  access_key                  = "AKIDTERRAFORM"
  secret_key                  = "anything"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
  endpoints { kms = "${endpoint}" }
}
resource "aws_kms_key" "symmetric" {
  description             = "made by terraform"
  deletion_window_in_days = 7
  tags                    = { team = "one", empty = "" }
}
resource "aws_kms_key" "signing" {
  customer_master_key_spec = "ECC_NIST_P384"
  key_usage                = "SIGN_VERIFY"
  is_enabled               = true
}
resource "aws_kms_alias" "symmetric" {
  name          = "alias/by-terraform"
  target_key_id = aws_kms_key.symmetric.key_id
}
output "arn" { value = aws_kms_key.symmetric.arn }
`

// The provider alone takes several seconds for each of terraform's runs.
t.setTimeout(10 * MINUTE)
const mirror = findMirror()
const missing = hasTool('terraform') ? (mirror === undefined ? 'terraform-provider-aws' : undefined) : 'terraform'

t.test(
  'apply, an empty second plan, destroy',
  { skip: missing === undefined ? false : `no tool: ${missing}` },
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'trefoil-terraform-'))
    const trefoil = await startTrefoil({})
    t.teardown(async () => {
      await trefoil.stop()
      rmSync(folder, { recursive: true })
    })
    writeFileSync(join(folder, 'main.tf'), configuration(trefoil.plainUrl))
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

    await ok('init', '-input=false')
    await ok('apply', '-auto-approve', '-input=false')
    t.match(await ok('output', '-raw', 'arn'), /^arn:aws:kms:us-east-1:\d{12}:key\//)
    const plan = await terraform('plan', '-detailed-exitcode', '-input=false')
    t.equal(plan.code, 0, `the second plan is empty${plan.code === 0 ? '' : `: ${plan.stdout}${plan.stderr}`}`)
    await ok('destroy', '-auto-approve', '-input=false')
  },
)
