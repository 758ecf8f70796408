/** A scan as SARIF 2.1.0 (OASIS standard, 27 March 2020), for code scanning of a hosting service and for editors. */
import type { Location, Log, Notification, ReportingDescriptor, Result } from 'sarif';
import type { CheckResult, Evidence, Finding, Severity } from '../../schemas/finding.ts';
import type { Scan, ScanTarget } from '../../schemas/scan.ts';
import { VERSION } from '../../schemas/version.ts';
import { fingerprintOf } from '../fingerprint.ts';

const LEVEL: Readonly<Record<Severity, 'error' | 'warning' | 'note'>> = {
  critical: 'error',
  high: 'error',
  medium: 'warning',
  low: 'note',
  info: 'note',
};
/** Numbers that code scanning sorts by; within the bands that it names critical, high, medium and low. */
const SCORE: Readonly<Record<Severity, string>> = {
  critical: '9.5',
  high: '8.0',
  medium: '5.5',
  low: '2.0',
  info: '0.0',
};

/** Pure. One run; what is unknown is told as a notification, and the run as not whole where a target has no report. */
export function toSarif(scan: Scan): Log {
  const rules = rulesOf(scan);
  const results = scan.targets.flatMap((target) => [...notesOf(target), ...findingsOf(target)]);
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'Lockkeeper',
            semanticVersion: VERSION,
            rules: [...rules.values()],
          },
        },
        columnKind: 'utf16CodeUnits',
        invocations: [
          {
            executionSuccessful:
              scan.targets.length > 0 && scan.targets.every(({ report }) => report !== null),
            toolExecutionNotifications: scan.targets.flatMap(notificationsOf),
          },
        ],
        results,
      },
    ],
  };
}

function rulesOf({ targets }: Scan): Map<string, ReportingDescriptor> {
  const rules = new Map<string, ReportingDescriptor>();
  for (const { report, notes } of targets) {
    for (const { id, title, owasp } of report?.checks ?? [])
      rules.set(id, { id, shortDescription: { text: title }, properties: { tags: ['security', owasp] } });
    for (const { id } of notes)
      rules.set(id, { id, shortDescription: { text: 'How a client asks for its server' } });
  }
  return new Map([...rules].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function notesOf(target: ScanTarget): Result[] {
  return target.notes.map(({ id, severity, message }) => ({
    ruleId: id,
    level: LEVEL[severity],
    message: { text: `${target.target}: ${message}` },
    locations: [locationOf(target, [])],
  }));
}

function findingsOf(target: ScanTarget): Result[] {
  const fired = (target.report?.checks ?? []).filter((check) => check.outcome === 'fired');
  return fired.flatMap((check) => check.findings.map((one) => resultOf(one, check, target)));
}

function resultOf(one: Finding, { gates }: CheckResult, target: ScanTarget): Result {
  const source = target.source ?? target.target;
  return {
    ruleId: one.check,
    level: LEVEL[one.severity],
    message: { text: `${source}: ${one.message}` },
    locations: [locationOf(target, one.evidence)],
    ...suppressionsOf(one, source, target),
    partialFingerprints: { 'lockkeeper/v1': fingerprintOf(source, one) },
    properties: {
      'security-severity': SCORE[one.severity],
      gates,
      evidence: one.evidence,
    },
  };
}

/** An accepted finding is told with its reason, and not counted by who reads it. */
function suppressionsOf(
  one: Finding,
  source: string,
  { suppressed }: ScanTarget,
): Pick<Result, 'suppressions'> {
  const print = fingerprintOf(source, one);
  const found = suppressed.filter(({ finding }) => finding === print);
  if (found.length === 0) return {};
  return {
    suppressions: found.map(({ reason, keyid, expires }) => ({
      kind: 'external',
      status: 'accepted',
      justification: `${reason} (signed by ${keyid}, until ${expires})`,
    })),
  };
}

/** The line that asks for the server, which somebody can change; inside the package, where nobody here can. */
function locationOf({ file, line, source, target }: ScanTarget, evidence: readonly Evidence[]): Location {
  const [first] = evidence;
  const inside =
    first?.kind === 'file'
      ? `${first.artifact}/${first.path}:${first.line}`
      : first && 'at' in first
        ? first.at
        : null;
  const logical = [
    { fullyQualifiedName: source ?? target, kind: 'module' },
    ...(inside === null || inside === undefined ? [] : [{ fullyQualifiedName: inside, kind: 'member' }]),
  ];
  if (file === null) return { logicalLocations: logical };
  return {
    physicalLocation: { artifactLocation: { uri: encodeURI(file) }, region: { startLine: line ?? 1 } },
    logicalLocations: logical,
  };
}

function notificationsOf(target: ScanTarget): Notification[] {
  const { error, report } = target;
  const name = target.source ?? target.target;
  if (error)
    return [
      { level: 'error', descriptor: { id: error.code }, message: { text: `${name}: ${error.message}` } },
    ];
  return (report?.checks ?? []).flatMap((check) =>
    check.outcome === 'unknown'
      ? [
          {
            level: 'warning',
            associatedRule: { id: check.id },
            message: { text: `${name}: ${check.title} is unknown: ${check.reason}` },
          },
        ]
      : [],
  );
}
