/** Findings that people have accepted, told apart from the rest. They stay in the report; they only no longer gate. */
import type { CheckResult, Finding } from '../schemas/finding.ts';
import { concludeReport, type ScanTarget } from '../schemas/scan.ts';
import type { Suppression } from '../schemas/suppression.ts';
import { fingerprintOf } from './fingerprint.ts';

/** A suppression whose signature was verified, and the id of the key that it is by. */
export interface Accepted extends Suppression {
  readonly keyid: string;
}

/**
 * Pure. A check that gates and fired counts as accepted only where each of its findings is; unknown is never accepted, and
 * what could not be scanned stays so. A suppression that has ended is a note.
 */
export function suppressedIn(target: ScanTarget, accepted: readonly Accepted[], now: Date): ScanTarget {
  const { report, notes } = target;
  if (report === null) return target;
  const known = new Map(accepted.filter((one) => inForce(one, now)).map((one) => [one.finding, one]));
  const printOf = (finding: Finding): string => fingerprintOf(report.release.source, finding);
  const prints = new Set(
    report.checks.flatMap((check) => (check.outcome === 'fired' ? check.findings.map(printOf) : [])),
  );
  const isOpen = (check: CheckResult): boolean =>
    check.outcome === 'fired' && check.findings.some((finding) => !known.has(printOf(finding)));
  const ended = accepted.filter(({ finding }) => prints.has(finding) && !known.has(finding));
  return {
    ...target,
    conclusion: concludeReport(report, isOpen),
    notes: [...notes, ...ended.map(endedNote)],
    suppressed: [...known.values()]
      .filter(({ finding }) => prints.has(finding))
      .map(({ finding, check, reason, keyid, expires }) => ({ finding, check, reason, keyid, expires })),
  };
}

function endedNote({ check, reason, expires }: Accepted): ScanTarget['notes'][number] {
  const message = `that ${check} was accepted ended on ${expires.slice(0, 10)}: ${reason}`;
  return { id: 'LK-CFG-05', severity: 'medium', message };
}

function inForce({ issuedAt, expires }: Suppression, now: Date): boolean {
  return Date.parse(issuedAt) <= now.getTime() && now.getTime() < Date.parse(expires);
}
