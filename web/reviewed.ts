/** What a reviewer is told besides the report: who answers, what deltas rest on, what changed since an approval. */
import type { Alarm, Attention } from '../schemas/attention.ts';
import type { Release } from '../schemas/release.ts';
import type { ReviewView, Since } from '../schemas/review.ts';
import type { Server } from '../schemas/server.ts';
import { type Child, card, el, facts, nameOf, soft, table, tag } from './dom.ts';

const DAY_MS = 86_400_000;
/** How long before its approvals end a release is shown as due; as the registry's schedule has it. */
const DUE_DAYS = 14;
const SHOWN_VERSIONS = 5;

const date = (instant: string): string => instant.slice(0, 10);

/** When it has to be reviewed again, if that is soon or over; else null. */
export function dueTag({ state, reviewBy, lapsedAt }: Release): HTMLElement | null {
  if (state === 'in_review' && lapsedAt !== null) return tag('unknown', `lapsed ${date(lapsedAt)}`);
  if (state !== 'approved') return null;
  if (reviewBy === null) return tag('fired', 'approvals no longer suffice');
  const soon = Date.parse(reviewBy) <= Date.now() + DUE_DAYS * DAY_MS;
  return soon ? tag('unknown', `re-review due ${date(reviewBy)}`) : null;
}

function linked({ id, name, version }: Pick<Release, 'id' | 'name' | 'version'>): HTMLElement {
  return el('a', { href: `#/release/${id}` }, nameOf(name), ` ${version}`);
}

/** Null when there is nothing to look after. */
export function attentionCard({ due, orphaned, trustFiles, unwatched }: Attention): HTMLElement | null {
  if (due.length + orphaned.length + trustFiles.length + unwatched.length === 0) return null;
  const rows = [
    ...due.map(({ id, name, version, by, lapsed }): Child[] => [
      linked({ id, name, version }),
      lapsed ? tag('fired', 'approvals no longer suffice') : tag('unknown', `re-review due ${date(by)}`),
    ]),
    ...orphaned.map((server): Child[] => [nameOf(server.name), orphan(server)]),
    ...unwatched.map(({ id, name, version, reason, since }): Child[] => [
      linked({ id, name, version }),
      el('span', {}, tag('unknown', 'not known upstream'), ` since ${date(since)}: ${reason}`),
    ]),
    ...trustFiles.map(({ name, since }): Child[] => [
      el('a', { href: '#/trust' }, `trust file ${name}`),
      tag('unknown', `another one since ${date(since)}`),
    ]),
  ];
  return card('To look after', table(['What', 'Why'], rows));
}

/** What stands against releases that run: above everything else. Null for nothing. */
export function alarmCard({ held, judged, failed }: Attention): HTMLElement | null {
  if (held.length + judged.length + failed.length === 0) return null;
  const rows = [
    ...held.map((one): Child[] => [linked(one), tag('fired', 'known malware, held for you to decide')]),
    ...judged.map((one): Child[] => [
      linked(one),
      el(
        'div',
        {},
        tag(one.gates ? 'fired' : 'unknown', one.gates ? 'would not pass today' : 'new warnings'),
        ...one.alarms.map((alarm) => el('p', {}, ...alarmParts(alarm))),
        soft('Open it to revoke it, or to approve it again with a reason for each.'),
      ),
    ]),
    ...failed.map((one): Child[] => [
      linked(one),
      el(
        'div',
        {},
        tag('unknown', 'could not be looked at again'),
        el(
          'p',
          {},
          `${one.attempts === 1 ? 'once' : `${one.attempts} times`} until ${date(one.since)}: ${one.reason}`,
        ),
        soft(`Have it tried again: lk review ${one.id} --rescan`),
      ),
    ]),
  ];
  return card('Against what runs', table(['Release', 'What'], rows));
}

function alarmParts({ id, title, before, after, gates, message, because, since, accepted }: Alarm): Child[] {
  return [
    el('code', {}, id),
    ` ${title}: `,
    before === null ? 'not there' : tag(before),
    ' then, ',
    tag(after),
    ` now${gates ? ', gates' : ''}; since ${date(since)}, ${because.join(' and ')}: ${message}`,
    accepted.length > 0 ? ` (accepted by ${accepted.join(', ')})` : '',
  ];
}

/** Of one release, beside what it looked like when it was approved. Null for nothing. */
export function judgedCard({ alarms }: ReviewView): HTMLElement | null {
  if (alarms.length === 0) return null;
  return card('Judged again, against it', ...alarms.map((alarm) => el('p', {}, ...alarmParts(alarm))));
}

function orphan({ owner }: Pick<Server, 'owner'>): HTMLElement {
  return el(
    'span',
    {},
    tag('fired', 'no owner'),
    ` ${owner} left; an administrator names another one: lk owner`,
  );
}

export function ownerOf({ owner }: ReviewView): Child {
  if (owner === null) return 'nobody yet';
  return owner.orphaned
    ? orphan(owner)
    : `${owner.owner}${owner.team === null ? '' : `, team ${owner.team}`}`;
}

/** On what the delta of this person rests; null for an approval of the whole release. */
export function deltaOf(person: string, { deltas }: ReviewView): HTMLElement | null {
  const delta = deltas.find((one) => one.person === person);
  if (!delta) return null;
  const { from, full } = delta;
  const rests = full
    ? `full review of ${full.version}: ${date(full.at)} by ${full.by.join(', ')}`
    : 'no full review found';
  return soft(`delta from ${from} (${rests})`);
}

/** Said before anything else of a release that comes from elsewhere than what was approved. */
export function movedCard({ formerPackage, source }: Release): HTMLElement | null {
  if (formerPackage === null) return null;
  return card(
    '',
    el(
      'p',
      {},
      tag('fired', 'another package'),
      ` This release comes from ${source}; what was approved came from ${formerPackage}.`,
    ),
  );
}

/** Null unless the release is or was due for re-review. */
export function sinceCard({ since }: ReviewView): HTMLElement | null {
  if (since === null) return null;
  const { approved, newest } = since;
  const title = `Since the report of ${date(approved.scannedAt)}`;
  if (newest === null)
    return card(title, soft('It was not scanned again yet: what changed in between is not known.'));
  return card(
    title,
    soft(`Scanned again ${date(newest.scannedAt)}. What runs is what was approved.`),
    since.checks.length > 0
      ? table(
          ['Check', 'What', 'Then', 'Now'],
          since.checks.map(({ id, title: what, before, after }): Child[] => [
            el('code', {}, id),
            what,
            before === null ? 'not there' : tag(before),
            after === null ? 'not there' : tag(after),
          ]),
        )
      : soft('Every check ends as it did.'),
    facts(worldOf(since)),
  );
}

function worldOf({ maintainers, newer, otherClosure, otherSurface }: Since): [string, Child][] {
  const people = maintainers && [
    ...maintainers.added.map((name) => `+${name}`),
    ...maintainers.removed.map((name) => `-${name}`),
  ];
  const more = newer && newer.length > SHOWN_VERSIONS ? ` and ${newer.length - SHOWN_VERSIONS} more` : '';
  return [
    ['Maintainers', people === null ? 'not told' : people.join(' ') || 'the same'],
    [
      'Newer versions',
      newer === null ? 'not told' : `${newer.slice(0, SHOWN_VERSIONS).join(', ') || 'none'}${more}`,
    ],
    ['Dependencies', otherClosure ? 'resolve to other bytes today' : 'resolve to the same bytes'],
    ['Surface', otherSurface ? 'another one today' : 'the same'],
  ];
}
