/** The schemas that others may read files by, as JSON Schema 2020-12 documents. */
import { Approval } from './approval.ts';
import { AuditRecord } from './audit.ts';
import { Envelope } from './dsse.ts';
import { Finding, Report } from './finding.ts';
import { GatewayConfig } from './gateway.ts';
import { IdentityConfig } from './identity.ts';
import { Intent } from './intent.ts';
import { LockFile } from './lock.ts';
import { Policy } from './policy.ts';
import { PolicyTest } from './policy-test.ts';
import { Problem } from './problem.ts';
import { Permissions, Release, Submission } from './release.ts';
import { Revocation } from './revocation.ts';
import { Root } from './root.ts';
import { Scan } from './scan.ts';
import { ScanCredentials } from './scan-credentials.ts';
import { AuditConfig } from './sinks.ts';
import { SuppressionFile } from './suppression.ts';
import { Surface } from './surface.ts';
import type { TSchema } from './type.ts';
import { UpstreamConfig } from './upstream.ts';

export const SCHEMAS: Readonly<Record<string, TSchema>> = {
  approval: Approval,
  'audit-config': AuditConfig,
  'audit-record': AuditRecord,
  envelope: Envelope,
  finding: Finding,
  'gateway-config': GatewayConfig,
  identity: IdentityConfig,
  intent: Intent,
  lock: LockFile,
  permissions: Permissions,
  policy: Policy,
  'policy-test': PolicyTest,
  problem: Problem,
  release: Release,
  report: Report,
  revocation: Revocation,
  root: Root,
  scan: Scan,
  'scan-credentials': ScanCredentials,
  submission: Submission,
  suppressions: SuppressionFile,
  surface: Surface,
  upstream: UpstreamConfig,
};

/** File name -> text. */
export function documents(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(SCHEMAS).map(([name, schema]) => [
      `${name}.schema.json`,
      `${JSON.stringify({ $schema: 'https://json-schema.org/draft/2020-12/schema', $id: `https://lockkeeper.dev/schemas/${name}.schema.json`, ...schema }, null, 2)}\n`,
    ]),
  );
}
