/** What `lk scan` tells of everything it was given: one conclusion, and a report for each server. */
import { Closed, Digest, Instant } from './common.ts';
import { CheckId, type CheckResult, Report, Severity } from './finding.ts';
import { type Static, Type } from './type.ts';

/** What is wrong with how a server is asked for, rather than with the server. */
export const ScanNote = Closed({
  id: Type.String({ pattern: '^LK-CFG-[0-9]{2}$' }),
  severity: Severity,
  message: Type.String({ minLength: 1, maxLength: 1000 }),
});
export type ScanNote = Static<typeof ScanNote>;

export const ScanTarget = Closed({
  /** As it was given, or the name in the file that names it. */
  target: Type.String(),
  /** The file that names it, from where the command was run; null where the command line did. */
  file: Type.Union([Type.Null(), Type.String()]),
  /** Line of the name in that file, the first one is 1; null where there is none. */
  line: Type.Union([Type.Null(), Type.Integer({ minimum: 1 })]),
  source: Type.Union([Type.Null(), Type.String()]),
  conclusion: Type.Union([Type.Literal('ok'), Type.Literal('refused'), Type.Literal('unverified')]),
  notes: Type.Array(ScanNote),
  report: Type.Union([Type.Null(), Report]),
  /** Findings of the report that somebody accepted, by fingerprint, with their signed reason. */
  suppressed: Type.Array(
    Closed({ finding: Digest, check: CheckId, reason: Type.String(), keyid: Digest, expires: Instant }),
  ),
  /** Why there is no report. */
  error: Type.Union([Type.Null(), Closed({ code: Type.String(), message: Type.String() })]),
});
export type ScanTarget = Static<typeof ScanTarget>;

export const Scan = Closed({
  lockkeeper: Type.Literal('scan/v1'),
  /** The worst of all targets: refused before unverified before ok. Without a target: unverified. */
  conclusion: Type.Union([Type.Literal('ok'), Type.Literal('refused'), Type.Literal('unverified')]),
  /** Ids of the checks that gate, from the policy. */
  gates: Type.Array(Type.String()),
  targets: Type.Array(ScanTarget),
});
export type Scan = Static<typeof Scan>;

/**
 * A gating check that is open refuses: one that fired, unless told otherwise. One that is unknown leaves the server
 * unverified, as having no report does. Pure.
 */
export function concludeReport(
  report: Report,
  isOpen: (check: CheckResult) => boolean = isFired,
): Scan['conclusion'] {
  const gating = report.checks.filter(({ gates }) => gates);
  if (gating.some(isOpen)) return 'refused';
  return gating.some(({ outcome }) => outcome === 'unknown') ? 'unverified' : 'ok';
}

function isFired({ outcome }: CheckResult): boolean {
  return outcome === 'fired';
}

export function concludeAll(targets: readonly ScanTarget[]): Scan['conclusion'] {
  const all = new Set(targets.map(({ conclusion }) => conclusion));
  if (all.has('refused')) return 'refused';
  return all.has('unverified') || all.size === 0 ? 'unverified' : 'ok';
}
