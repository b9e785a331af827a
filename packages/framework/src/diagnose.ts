import type { ApplicationEntity } from './application-entity.ts'
import { runLifecycle } from './hooks/run.ts'
import type { Finding } from './hooks/types.ts'

/** What the handlers of `diagnose` report; one that fails is a finding too. */
export async function diagnose(applicationEntity: ApplicationEntity): Promise<readonly Finding[]> {
  const findings: Finding[] = []
  const report = (finding: Finding): void => {
    findings.push(finding)
  }
  await runLifecycle(applicationEntity.hooks.diagnose, { applicationEntity, report })
  return findings
}
