/** One release as its reviewers read it: what it is, what fired, what it may touch, what a model sees, what changed. */
import type { AdvisoryList } from '../schemas/advisory.ts';
import type { DiffView } from '../schemas/api.ts';
import type { CheckResult, Report } from '../schemas/finding.ts';
import type { Release } from '../schemas/release.ts';
import type { ReviewView } from '../schemas/review.ts';
import type { Surface } from '../schemas/surface.ts';
import { advisories } from './advisories.ts';
import { ask } from './api.ts';
import { behaviour } from './behaviour.ts';
import { changes } from './changes.ts';
import { checks, gravest } from './checks.ts';
import { decide } from './decide.ts';
import { card, day, el, facts, nameOf, short, soft, tag } from './dom.ts';
import { materials } from './materials.ts';
import { deltaOf, dueTag, judgedCard, movedCard, ownerOf, sinceCard } from './reviewed.ts';
import { sees } from './surface.ts';

/** A page that waits for a scan looks again after this long. */
const AGAIN_MS = 1500;

export async function releasePage(id: string): Promise<HTMLElement> {
  const page = el('div');
  const fill = async (): Promise<void> => page.replaceChildren(...(await partsOf(id, fill)));
  await fill();
  return page;
}

async function partsOf(id: string, again: () => Promise<void>): Promise<Node[]> {
  const release = await ask<Release>(`/v1/releases/${id}`);
  const review = await ask<ReviewView>(`/v1/releases/${id}/review`);
  const due = dueTag(release);
  const title = el(
    'h1',
    {},
    nameOf(release.name),
    ` ${release.version} `,
    tag(release.state),
    due && ' ',
    due,
  );
  if (release.reportDigest === null) {
    const scanning = release.state === 'submitted' || release.state === 'scanning';
    if (scanning) setTimeout(() => location.hash === `#/release/${id}` && void again(), AGAIN_MS);
    const note = scanning
      ? 'It is being fetched, started without a network and checked.'
      : 'There is no report.';
    return [title, ...parts(movedCard(release)), head(release, review), card('', soft(note))];
  }
  const [report, diff, surface, known] = await Promise.all([
    ask<Report>(`/v1/releases/${id}/report`),
    ask<DiffView>(`/v1/releases/${id}/diff`),
    ask<Surface>(`/v1/releases/${id}/surface`),
    ask<AdvisoryList>(`/v1/advisories?release=${id}`),
  ]);
  return [
    title,
    ...parts(movedCard(release)),
    strip(report, diff, review),
    ...parts(judgedCard(review)),
    ...parts(sinceCard(review)),
    ...parts(advisories(known)),
    checks(report),
    head(release, review),
    touches(release, report),
    ...parts(behaviour(report.behaviour)),
    ...parts(materials(release, report)),
    changes(diff),
    sees(surface),
    await decide(release, { report, alarms: review.alarms, diff, done: again }),
  ];
}

function parts(part: HTMLElement | null): HTMLElement[] {
  return part === null ? [] : [part];
}

/** The four numbers that a reviewer looks for first. */
function strip(report: Report, diff: DiffView, { alarms }: ReviewView): HTMLElement {
  const count = (outcome: CheckResult['outcome']): number =>
    report.checks.filter((check) => check.outcome === outcome).length;
  const figure = (value: string, text: string, kind: string): HTMLElement =>
    el('div', { class: `figure ${kind}` }, el('strong', {}, value), text);
  const { artifacts, verified } = report.closure;
  const since = alarms.filter(({ before, after }) => before !== 'fired' && after === 'fired').length;
  const fired = count('fired') + since;
  const worst = gravest(report);
  const said = worst === null ? 'checks fired' : `checks fired, the gravest ${worst.severity}`;
  const when = since > 0 ? `${said}, ${since} since the scan` : said;
  return el(
    'div',
    { class: 'strip' },
    figure(String(fired), when, fired > 0 ? 'fired' : 'ok'),
    figure(String(count('unknown')), 'checks unknown', count('unknown') > 0 ? 'unknown' : 'ok'),
    figure(`${verified} of ${artifacts}`, 'artifacts verified', verified === artifacts ? 'ok' : 'fired'),
    diff.before === null
      ? figure('new', 'never approved before', '')
      : figure(
          String(diff.changes.length + diff.reach.length),
          `changes since ${diff.before.version}`,
          diff.changes.length + diff.reach.length > 0 ? 'unknown' : 'ok',
        ),
  );
}

/** What is started here, or where it runs and who answers there. */
function startedAs(launch: NonNullable<Release['launch']>): [string, HTMLElement] {
  if (launch.transport === 'stdio') return ['Started as', el('code', {}, launch.command.join(' '))];
  const { url, transport, reach, tls } = launch;
  const lines = [
    `${url} (${transport}, ${reach})`,
    ...tls.leaf.map((key) => `key ${key}`),
    ...tls.issuer.map((key) => `or issued by ${key}`),
    ...(tls.ca === null ? [] : ['under an authority of its own']),
  ];
  return [
    'Runs at',
    el('ul', { class: 'findings' }, ...lines.map((text) => el('li', {}, el('code', {}, text)))),
  ];
}

function head(release: Release, review: ReviewView): HTMLElement {
  const { closure, surfaceDigest, launch, reason, approvals } = release;
  return card(
    'What it is',
    facts([
      ['Source', el('code', {}, release.source)],
      ['About', release.description],
      ['Owner', ownerOf(review)],
      ['Requested by', `${release.requestedBy}, ${day(release.submittedAt)} UTC`],
      [
        'Approvals',
        approvals.length > 0
          ? el('ul', { class: 'findings' }, ...approvals.map((one) => approvalOf(one, review)))
          : 'none yet',
      ],
      ...(launch ? [startedAs(launch)] : []),
      ...(closure
        ? ([
            [
              'Closure',
              el(
                'code',
                {},
                `${short(closure.digest)} · ${closure.artifacts.length} ${closure.artifacts.length === 1 ? 'artifact' : 'artifacts'}`,
              ),
            ],
          ] as const)
        : []),
      ...(surfaceDigest ? ([['Surface', el('code', {}, short(surfaceDigest))]] as const) : []),
      ...(reason ? ([['Reason', reason]] as const) : []),
    ]),
  );
}

function approvalOf(
  { person, environments, expires, accepts }: Release['approvals'][number],
  review: ReviewView,
): HTMLElement {
  const reasons = Object.entries(accepts).map(([check, why]) => soft(`${check}: ${why}`));
  return el(
    'li',
    {},
    `${person} for ${environments.join(', ')}, until ${expires.slice(0, 10)}`,
    deltaOf(person, review),
    ...reasons,
  );
}

function touches({ permissions }: Release, report: Report): HTMLElement {
  const none = (list: readonly string[]): string => list.join(', ') || 'none';
  const { memoryMiB, cpus, pids } = permissions.limits;
  return card(
    'What it may touch',
    facts([
      ['Network', none(permissions.egress)],
      ['Folders', none(permissions.mounts.map((mount) => `${mount.target} (${mount.mode})`))],
      ['Variables', none(permissions.env)],
      ['Secrets', none(permissions.secrets ?? [])],
      ...(permissions.labels ? ([['Labels', labelsOf(permissions.labels)]] as const) : []),
      ['Limits', `${memoryMiB} MiB, ${cpus} cpu, ${pids} processes`],
      ['Connections tried', none(report.egressTried)],
      ...(report.surface.volatile.length > 0
        ? ([['Not pinned', none(report.surface.volatile)]] as const)
        : []),
    ]),
  );
}

/** What reviewers say that tools read and send: policies tell toxic flows by it. */
function labelsOf(labels: NonNullable<Release['permissions']['labels']>): string {
  const said = Object.entries(labels).map(([tool, own]) => `${tool} (${own.join(', ') || 'none'})`);
  return said.join(', ') || 'none';
}
