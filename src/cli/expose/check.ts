/** Plays the cloud's side against a running server, for each exposure of the configuration. */
import { type ExposureConfig, loadExposures } from '../../config/exposures/index.ts'
import { type Config, readSecret } from '../../config.ts'
import { Problem } from '../../core/problem.ts'
import { checkAzureEkm } from './azure-ekm.ts'
import { checkCloudEkm, checkCse } from './google.ts'
import { type Finding, Report } from './report.ts'
import { type CheckOptions, readToken, type Target, targetOf } from './target.ts'
import { checkTls } from './tls.ts'
import { checkXks } from './xks.ts'

async function ask(report: Report, target: Target, exposure: ExposureConfig, options: CheckOptions): Promise<void> {
  switch (exposure.protocol) {
    case 'azure-ekm':
      return checkAzureEkm(report, target, exposure)
    case 'cloud-ekm':
      return checkCloudEkm(report, target, exposure, readToken(options))
    case 'cse':
      return checkCse(report, target, exposure)
    case 'xks': {
      const [loaded] = loadExposures([exposure], readSecret)
      if (loaded?.protocol === 'xks') await checkXks(report, target, exposure, loaded)
    }
  }
}

/** @param name of one exposure; absent: all. @throws Problem */
export async function checkExposures(
  config: Config,
  name: string | undefined,
  options: CheckOptions,
): Promise<readonly Finding[]> {
  const exposures = config.exposures.filter((one) => name === undefined || one.name === name)
  if (exposures.length === 0) {
    const known = config.exposures.map((one) => one.name).join(', ')
    throw new Problem(
      name === undefined ? 'the configuration has no exposures' : `there is no exposure ${name}`,
      known === '' ? 'add one under exposures' : `take one of ${known}`,
    )
  }
  const findings: Finding[] = []
  for (const exposure of exposures) {
    const report = new Report(exposure.name, exposure.protocol)
    const target = targetOf(config, exposure, options)
    if (await checkTls(report, target)) await ask(report, target, exposure, options)
    findings.push(...report.findings)
  }
  return findings
}
