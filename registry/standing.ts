/** Whether a release still has the approvals it was approved by, and until when. Pure: from a row and today's root. */
import { CLOCK_SKEW_MS, type TrustedRoot } from '../runtime/trust/root.ts';
import type { GivenApproval, ReleaseRow } from './db/releases.ts';

const DAY_MS = 86_400_000;

/**
 * The environments that enough distinct people approved it for, each with the instant at which that ends. What a verifier
 * would not count is not counted: keys that left the root, the requester, approvals over or longer than the root lets.
 * Signatures were verified when they came in, and are again by whoever runs it.
 */
function standing(
  row: Pick<ReleaseRow, 'approvals' | 'requested_by'>,
  trusted: TrustedRoot,
  now: Date,
): Map<string, Date> {
  const { threshold } = trusted.root.roles.approver;
  const ends = new Map<string, Map<string, number>>();
  for (const given of counting(row, trusted, now)) {
    for (const environment of given.environments) {
      const people = ends.get(environment) ?? new Map<string, number>();
      people.set(given.person, Math.max(people.get(given.person) ?? 0, Date.parse(given.expires)));
      ends.set(environment, people);
    }
  }
  const covered = new Map<string, Date>();
  for (const [environment, people] of ends) {
    const end = [...people.values()].sort((a, b) => b - a)[threshold - 1];
    if (end !== undefined) covered.set(environment, new Date(end));
  }
  return covered;
}

/** The approvals that count under today's root, oldest first. */
export function counting(
  row: Pick<ReleaseRow, 'approvals' | 'requested_by'>,
  trusted: TrustedRoot,
  now: Date,
): GivenApproval[] {
  return row.approvals.filter(
    (given) =>
      given.person !== row.requested_by &&
      trusted.holds('approver', given.keyid) &&
      counts(given, trusted, now),
  );
}

function counts(given: GivenApproval, trusted: TrustedRoot, now: Date): boolean {
  const [from, until] = [Date.parse(given.notBefore), Date.parse(given.expires)];
  return (
    trusted.personOf(given.keyid) === given.person &&
    from <= now.getTime() + CLOCK_SKEW_MS &&
    now.getTime() < until &&
    until - from <= trusted.root.lifetimes.approvalDays * DAY_MS
  );
}

/** When the first of its environments runs out of approvals; null when none has enough now. */
export function reviewBy(
  row: Pick<ReleaseRow, 'approvals' | 'requested_by'>,
  trusted: TrustedRoot,
  now: Date,
): Date | null {
  const ends = [...standing(row, trusted, now).values()].map((end) => end.getTime());
  return ends.length > 0 ? new Date(Math.min(...ends)) : null;
}

/** When the last of its approvals ends or ended, whether it counts or not. */
export function lastEnd({ approvals }: Pick<ReleaseRow, 'approvals'>): Date | null {
  const ends = approvals.map(({ expires }) => Date.parse(expires));
  return ends.length > 0 ? new Date(Math.max(...ends)) : null;
}

/** Is the release what its state says? An approved one whose approvals no longer suffice is not. */
export function isStanding(row: ReleaseRow, trusted: TrustedRoot, now: Date): boolean {
  return row.state !== 'approved' || standing(row, trusted, now).size > 0;
}
