/** What a reviewer is told besides the report, in lines: who answers, what deltas rest on, what changed in between. */
import type { Alarm, Attention } from '../schemas/attention.ts';
import type { Release } from '../schemas/release.ts';
import type { ReviewView, Since } from '../schemas/review.ts';
import type { Server } from '../schemas/server.ts';
import { plain } from './output.ts';

const DAY_MS = 86_400_000;
/** How long before its approvals end a release is shown as due; as the registry's schedule has it. */
const DUE_DAYS = 14;
const SHOWN_VERSIONS = 5;

const day = (instant: string): string => instant.slice(0, 10);

/** `re-review due DATE`, or since when it lapsed; empty while nothing is to be done. */
export function dueText(
  { state, reviewBy, lapsedAt }: Pick<Release, 'state' | 'reviewBy' | 'lapsedAt'>,
  now: Date,
): string {
  if (state === 'in_review' && lapsedAt !== null) return `lapsed ${day(lapsedAt)}: review it again`;
  if (state !== 'approved') return '';
  if (reviewBy === null) return 'its approvals no longer suffice: review it again';
  return Date.parse(reviewBy) <= now.getTime() + DUE_DAYS * DAY_MS ? `re-review due ${day(reviewBy)}` : '';
}

/** Around the list of what waits: what stands against releases that run goes first, the rest below. */
export function attentionLines(attention: Attention): { first: string[]; below: string[] } {
  const { due, orphaned, held, trustFiles, judged, failed, unwatched } = attention;
  const head = ({ id, name, version }: { id: number; name: string; version: string }): string =>
    `${name} ${version} (release ${id})`;
  return {
    first: [
      ...held.map((one) => `${head(one)}: known malware, held for a person to decide: lk advisories`),
      ...judged.flatMap((one) => [
        `${head(one)} is approved, and judged again ${one.gates ? 'it would not pass' : 'there are new warnings'}:`,
        ...one.alarms.map((alarm) => `  ${alarmText(alarm)}`),
        `  ${answerText(one.id, one.alarms)}`,
      ]),
      ...failed.map(
        (one) =>
          `${head(one)} could not be looked at again, ${one.attempts === 1 ? 'once' : `${one.attempts} times`} until ${day(one.since)}: ${one.reason.replace(/\.$/, '')}. Try again: lk review ${one.id} --rescan`,
      ),
    ],
    below: [
      ...due.map(
        (one) =>
          `${head(one)}: ${one.lapsed ? 'its approvals no longer suffice' : `re-review due ${day(one.by)}`}`,
      ),
      ...orphaned.map(ownerText),
      ...unwatched.map(
        (one) => `${head(one)}: not known upstream since ${day(one.since)}: ${one.reason.replace(/\.$/, '')}`,
      ),
      ...trustFiles.map(
        ({ name, since }) =>
          `trust file ${name}: its repository has another one since ${day(since)}, for the root holders to read: lk trust`,
      ),
    ],
  };
}

/** What ends otherwise, since when and why. */
function alarmText({ id, title, before, after, gates, message, because, since, accepted }: Alarm): string {
  const turn = `${before ?? 'not there'} then, ${after} now${gates ? ', gates' : ''}`;
  const by = accepted.length > 0 ? ` (accepted by ${accepted.join(', ')})` : '';
  return `${id} ${title}: ${turn}; since ${day(since)}, ${because.join(' and ')}: ${message}${by}`;
}

function answerText(id: number, alarms: readonly Alarm[]): string {
  const reasons = alarms.map((alarm) => `--accept "${alarm.id}=REASON"`).join(' ');
  return `Revoke it: lk revoke ${id} --reason TEXT; or accept what you read: lk approve ${id} ${reasons}`;
}

function ownerText({ name, owner, orphaned, team }: Server): string {
  if (orphaned)
    return `${name} has no owner: ${owner} left. An administrator names another one: lk owner ${name} PERSON`;
  return `Owned by ${owner}${team === null ? '' : `, team ${team}`}.`;
}

/** For the head of one release. */
export function reviewLines(
  release: Release,
  { owner, since, alarms, deltas }: ReviewView,
  now: Date,
): string[] {
  const due = dueText(release, now);
  return [
    ...(owner ? [ownerText(owner)] : []),
    ...(release.formerPackage === null
      ? []
      : [
          `Another package: it comes from ${release.source}; what was approved came from ${release.formerPackage}.`,
        ]),
    ...deltas.map(({ person, from, full }) => {
      const rests = full
        ? `full review of ${full.version}: ${day(full.at)} by ${full.by.join(', ')}`
        : 'no full review found';
      return `${person}'s approval is a delta from ${from} (${rests}).`;
    }),
    ...(due ? [`${due.charAt(0).toUpperCase()}${due.slice(1)}.`] : []),
    ...(alarms.length > 0
      ? [
          'Judged again, against it:',
          ...alarms.map((one) => `  ${alarmText(one)}`),
          `  ${answerText(release.id, alarms)}`,
        ]
      : []),
    ...(since ? sinceLines(since) : []),
  ].map(plain);
}

function sinceLines({
  approved,
  newest,
  checks,
  otherClosure,
  otherSurface,
  maintainers,
  newer,
}: Since): string[] {
  if (newest === null) return ['It was not scanned again yet: what changed in between is not known.'];
  const people = maintainers && [
    ...maintainers.added.map((name) => `+${name}`),
    ...maintainers.removed.map((name) => `-${name}`),
  ];
  const latest = newer?.slice(0, SHOWN_VERSIONS).join(', ');
  const more = newer && newer.length > SHOWN_VERSIONS ? ` and ${newer.length - SHOWN_VERSIONS} more` : '';
  return [
    `Since the report of ${day(approved.scannedAt)}, scanned again ${day(newest.scannedAt)}:`,
    ...checks.map(
      ({ id, title, before, after }) =>
        `  ${id} ${title}: ${before ?? 'not there'}, now ${after ?? 'not there'}`,
    ),
    ...(checks.length === 0 ? ['  every check ends as it did'] : []),
    ...(otherClosure
      ? ['  its dependencies resolve to other bytes today (what runs is what was approved)']
      : []),
    ...(otherSurface ? ['  with them it shows another surface'] : []),
    people === null
      ? '  maintainers: not told'
      : `  maintainers: ${people.length > 0 ? people.join(' ') : 'the same'}`,
    newer === null ? '  newer versions: not told' : `  newer versions: ${latest || 'none'}${more}`,
  ];
}
