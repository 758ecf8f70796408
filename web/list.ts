/** The queue and the list of all releases. */
import type { ReleaseList } from '../schemas/api.ts';
import type { Attention } from '../schemas/attention.ts';
import type { Report } from '../schemas/finding.ts';
import type { TrustView } from '../schemas/keys.ts';
import type { Release } from '../schemas/release.ts';
import { ask, me } from './api.ts';
import { inShort } from './checks.ts';
import { card, day, el, nameOf, soft, table, tag } from './dom.ts';
import { alarmCard, attentionCard, dueTag } from './reviewed.ts';
import { rootIn } from './trust.ts';

const PAGE = 50;
const HEAD = ['Server', 'Version', 'State', 'Requested by', 'Approvals', 'Submitted (UTC)'];
/** In the queue all are in one state; what the scan saw stands in its place. */
const QUEUE_HEAD = HEAD.map((name) => (name === 'State' ? 'Checks' : name));

export async function queue(): Promise<HTMLElement> {
  const waiting = await releases('in_review');
  const coming = [...(await releases('scanning')).releases, ...(await releases('submitted')).releases];
  const attention = await ask<Attention>('/v1/attention');
  return el(
    'div',
    {},
    alarmCard(attention),
    el('h1', {}, 'Waiting for review'),
    card(
      '',
      await listed(waiting, 'in_review', 'Nothing waits for you. Publish a server, or look at all releases.'),
    ),
    attentionCard(attention),
    coming.length > 0 ? card('Being scanned', table(HEAD, coming.map(await rows()))) : null,
  );
}

export async function allReleases(): Promise<HTMLElement> {
  const body = await listed(await releases(''), '', 'Nothing was submitted yet.');
  return el('div', {}, el('h1', {}, 'All releases'), card('', body));
}

function releases(state: string, before?: number): Promise<ReleaseList> {
  const from = before === undefined ? '' : `&before=${before}`;
  return ask<ReleaseList>(`/v1/releases?limit=${PAGE}${state ? `&state=${state}` : ''}${from}`);
}

/** How a release is listed for this person, under the root of today. */
async function rows(): Promise<(release: Release) => (Node | string)[]> {
  const { person } = await me();
  const { threshold } = rootIn(await ask<TrustView>('/v1/trust')).roles.approver;
  return (release) => rowOf(release, person, threshold);
}

function rowOf(release: Release, person: string, threshold: number): (Node | string)[] {
  const due = dueTag(release);
  const mine = release.approvals.some((one) => one.person === person) ? ', with yours' : '';
  return [
    el('a', { href: `#/release/${release.id}` }, nameOf(release.name)),
    release.version,
    due === null ? tag(release.state) : el('span', {}, tag(release.state), ' ', due),
    release.requestedBy,
    `${release.approvals.length} of ${threshold}${mine}`,
    day(release.submittedAt),
  ];
}

/** As `rowOf`, with what the scan saw: it comes after the list, which does not wait for it. */
function inQueue(row: (release: Release) => (Node | string)[]): typeof row {
  return (release) => {
    const seen = el('div', {}, release.reportDigest === null ? 'no report' : '…');
    if (release.reportDigest !== null)
      void ask<Report>(`/v1/releases/${release.id}/report`).then(
        (report) => seen.replaceChildren(inShort(report)),
        (error: Error) => seen.replaceChildren(error.message),
      );
    const [server = '', version = '', , ...rest] = row(release);
    return [server, version, el('div', {}, dueTag(release), seen), ...rest];
  };
}

/** A table that grows by a page as long as there is more. */
async function listed(first: ReleaseList, state: string, none: string): Promise<HTMLElement> {
  if (first.releases.length === 0) return soft(none);
  const waiting = state === 'in_review';
  const head = waiting ? QUEUE_HEAD : HEAD;
  const row = waiting ? inQueue(await rows()) : await rows();
  const list = table(head, first.releases.map(row));
  const more = el('button', { type: 'button', class: 'quiet' }, 'Show more');
  let { next } = first;
  more.hidden = next === null;
  more.addEventListener('click', () => {
    if (next === null) return;
    void releases(state, next).then((page) => {
      list
        .querySelector('tbody')
        ?.append(...table(head, page.releases.map(row)).querySelectorAll('tbody > tr'));
      next = page.next;
      more.hidden = next === null;
    });
  });
  return el('div', {}, list, more);
}
