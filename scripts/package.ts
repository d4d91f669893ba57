/**
 * Makes the package that is published: `node scripts/package.ts [directory]` leaves `trefoil-<version>.tgz` there. It
 * holds JavaScript, since Node strips no types under node_modules, the exact versions of what it depends on, and a list
 * of it all (CycloneDX). The same commit gives the same bytes.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'

const ROOT = join(import.meta.dirname, '..')
/** Besides what src is compiled to. */
const SHIPPED = [
  'bin',
  'docs',
  'scripts/setup.sh',
  'scripts/trefoil.service',
  'LICENSE',
  'NOTICE',
  'README.md',
  'CHANGELOG.md',
]
const FIELDS = [
  'name',
  'version',
  'description',
  'license',
  'type',
  'bin',
  'dependencies',
  'optionalDependencies',
  'allowScripts',
]

type Json = Record<string, unknown>
const readJson = (name: string): Json => JSON.parse(readFileSync(join(ROOT, name), 'utf8'))
const run = (command: string, args: readonly string[], cwd = ROOT): string =>
  execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })

/** What git knows, so that nothing that lies around gets in. */
const tracked = (paths: readonly string[]): readonly string[] =>
  run('git', ['ls-files', '-z', '--', ...paths])
    .split('\0')
    .filter((name) => name !== '')

function copy(stage: string, names: readonly string[]): void {
  for (const name of names) {
    mkdirSync(dirname(join(stage, name)), { recursive: true })
    cpSync(join(ROOT, name), join(stage, name))
  }
}

/** Of the lock file, what the server needs: it binds those who install the package, too. */
function shrinkwrap(manifest: Json): Json {
  const { packages, ...lock } = readJson('package-lock.json') as { packages: Record<string, Json> }
  const needed = Object.entries(packages).filter(([path, entry]) => path !== '' && entry.dev !== true)
  const { name, version, license, bin, dependencies, optionalDependencies } = manifest
  const root = { name, version, license, bin, dependencies, optionalDependencies }
  return { ...lock, packages: { '': root, ...Object.fromEntries(needed) } }
}

/** A version-5 UUID of the content: another bill, another number; the same, the same. */
function serialOf(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex')
  return `urn:uuid:${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

function billOfMaterials(stage: string): Json {
  const args = [
    'sbom',
    '--sbom-format',
    'cyclonedx',
    '--sbom-type',
    'application',
    '--package-lock-only',
    '--omit',
    'dev',
  ]
  const { serialNumber: _drawn, metadata, ...bill } = JSON.parse(run('npm', args, stage)) as { metadata: Json } & Json
  const { timestamp: _now, component, ...about } = metadata
  // npm names it by its directory.
  const content = { ...bill, metadata: { ...about, component: { ...(component as Json), name: 'trefoil' } } }
  return { ...content, serialNumber: serialOf(JSON.stringify(content)) }
}

function fill(stage: string): void {
  const { name: _name, ...manifest } = readJson('package.json')
  const kept = Object.fromEntries(FIELDS.filter((field) => field in manifest).map((field) => [field, manifest[field]]))
  const published = { name: 'trefoil', ...kept, private: true, engines: { node: '>=20' } }
  const write = (name: string, value: unknown): void =>
    writeFileSync(join(stage, name), `${JSON.stringify(value, null, 2)}\n`)
  run(join(ROOT, 'node_modules/.bin/tsc'), ['-p', 'tsconfig.package.json', '--outDir', join(stage, 'src')])
  copy(
    stage,
    tracked(['src']).filter((name) => !name.endsWith('.ts')),
  )
  copy(stage, tracked(SHIPPED))
  write('package.json', published)
  write('npm-shrinkwrap.json', shrinkwrap(published))
  write('sbom.cdx.json', billOfMaterials(stage))
}

function main(target: string): void {
  const stage = mkdtempSync(join(tmpdir(), 'trefoil-package-'))
  try {
    fill(stage)
    mkdirSync(target, { recursive: true })
    const [{ filename }] = JSON.parse(run('npm', ['pack', '--json', '--pack-destination', target], stage))
    const digest = createHash('sha256')
      .update(readFileSync(join(target, filename)))
      .digest('hex')
    process.stdout.write(`${digest}  ${filename}\n`)
  } finally {
    rmSync(stage, { recursive: true })
  }
}

main(resolve(process.argv[2] ?? 'dist'))
