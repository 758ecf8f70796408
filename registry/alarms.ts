/** What today's judgement of an approved release says against it that nobody accepted when it was approved. */
import type { TrustedRoot } from '../runtime/trust/root.ts';
import type { Alarm } from '../schemas/attention.ts';
import type { CheckResult, Report } from '../schemas/finding.ts';
import { canonical, sha256 } from '../schemas/json.ts';
import { type AlarmRow, listAlarms, type NewAlarm } from './db/alarms.ts';
import type { Client } from './db/pool.ts';
import type { ReleaseRow } from './db/releases.ts';
import { counting } from './standing.ts';

/** Why a check ends otherwise, by its id. */
export type Causes = Readonly<Record<string, readonly string[]>>;

const MOST_CHARS = 300;

/**
 * Pure. Checks that fire now for something that the approved report does not tell, checks that gate now and did not, and
 * gating ones that nobody can tell any more. What is unknown and gates nothing is no alarm.
 */
export function alarmsIn(approved: Report, today: Report, causes: Causes): NewAlarm[] {
  const known = new Map(approved.checks.map((check) => [check.id, check]));
  return today.checks.flatMap((check): NewAlarm[] => {
    const was = known.get(check.id);
    if (check.outcome === 'ok' || (check.outcome === 'unknown' && !check.gates)) return [];
    const stood = was?.gates === true && was.outcome !== 'ok';
    const gatesNow = check.gates && !stood;
    const same = was !== undefined && said(was) === said(check);
    if (same && !gatesNow) return [];
    const { id, title, outcome: after, gates } = check;
    const because = [...(causes[id] ?? causes['*'] ?? [])];
    return [
      {
        ...{ id, title, after, gates, before: was?.outcome ?? null },
        said: sha256(Buffer.from(said(check))),
        message: messageOf(check).slice(0, MOST_CHARS),
        because:
          because.length > 0 ? because : [same ? 'which checks gate was changed' : 'it was judged again'],
      },
    ];
  });
}

/** The outcome, and of one that fired for what; wording of the others may vary with the day. */
export function said(check: CheckResult): string {
  return check.outcome === 'fired' ? canonical(check.findings) : check.outcome;
}

function messageOf(check: CheckResult): string {
  if (check.outcome === 'unknown') return check.reason;
  if (check.outcome === 'ok') return check.note;
  const [first, ...others] = check.findings;
  return `${first?.message ?? ''}${others.length > 0 ? ` (and ${others.length} more)` : ''}`;
}

type Approved = Pick<ReleaseRow, 'id' | 'approvals' | 'requested_by'>;

/** As they are told, with who accepted each since it is there: by an approval that counts and names it. */
export async function alarmsOf(client: Client, row: Approved, trusted: TrustedRoot): Promise<Alarm[]> {
  return toldOf(await listAlarms(client, [row.id]), row, trusted);
}

/** Those that fewer people than an approval takes have accepted. Pure. */
export function unanswered(alarms: readonly Alarm[], trusted: TrustedRoot): Alarm[] {
  return alarms.filter(({ accepted }) => accepted.length < trusted.root.roles.approver.threshold);
}

export function toldOf(rows: readonly AlarmRow[], row: Approved, trusted: TrustedRoot): Alarm[] {
  const given = counting(row, trusted, new Date());
  return rows
    .filter(({ releaseId }) => releaseId === row.id)
    .map(({ releaseId: _, since, ...rest }) => {
      const people = given
        .filter(({ accepts }) => Object.hasOwn(accepts, rest.id))
        .filter(({ notBefore }) => Date.parse(notBefore) >= since.getTime())
        .map(({ person }) => person);
      return { ...rest, since: since.toISOString(), accepted: [...new Set(people)].sort() };
    });
}
