/** The pages: queue, one release, audit. */
import type { AuditList, DiffView, ReleaseList } from '../schemas/api.ts';
import type { CheckResult, Evidence, Report } from '../schemas/finding.ts';
import type { Release } from '../schemas/release.ts';
import { ask } from './api.ts';
import { card, el, facts, table, tag } from './dom.ts';

const day = (instant: string): string => instant.slice(0, 16).replace('T', ' ');
const short = (digest: string): string => digest.replace('sha256:', '').slice(0, 12);
const shown = (value: unknown): string =>
  typeof value === 'string' ? value : JSON.stringify(value, null, 2);

export async function queue(state: string): Promise<HTMLElement> {
  const { releases } = await ask<ReleaseList>(`/v1/releases?limit=100${state ? `&state=${state}` : ''}`);
  const rows = releases.map((release) => [
    el('a', { href: `#/release/${release.id}` }, release.name),
    release.version,
    tag(release.state),
    release.requestedBy,
    String(release.approvals.length),
    day(release.submittedAt),
  ]);
  const title = state === 'in_review' ? 'Waiting for review' : 'All releases';
  const body = rows.length
    ? table(['Server', 'Version', 'State', 'Requested by', 'Approvals', 'Submitted'], rows)
    : el('p', { class: 'soft' }, 'Nothing here. Submit a server with: lk publish npm:NAME@VERSION');
  return el('div', {}, el('h1', {}, title), card('', body));
}

export async function releasePage(id: string): Promise<HTMLElement> {
  const release = await ask<Release>(`/v1/releases/${id}`);
  const page = el(
    'div',
    {},
    el('h1', {}, `${release.name} ${release.version} `, tag(release.state)),
    head(release),
  );
  if (release.reportDigest === null) return page;
  const [report, diff] = await Promise.all([
    ask<Report>(`/v1/releases/${id}/report`),
    ask<DiffView>(`/v1/releases/${id}/diff`),
  ]);
  page.append(nextStep(release), touches(release, report), checks(report), changes(diff));
  return page;
}

function head(release: Release): HTMLElement {
  return card(
    '',
    facts([
      ['Source', el('code', {}, release.source)],
      ['Requested by', `${release.requestedBy}, ${day(release.submittedAt)}`],
      ['Approvals', String(release.approvals.length)],
      [
        'Closure',
        release.closure
          ? el('code', {}, `${short(release.closure.digest)} · ${release.closure.artifacts.length} artifacts`)
          : 'not scanned yet',
      ],
      ['Surface', release.surfaceDigest ? el('code', {}, short(release.surfaceDigest)) : 'not scanned yet'],
      ...(release.reason ? ([['Reason', release.reason]] as const) : []),
    ]),
  );
}

/** Approving takes the reviewer's own key, which never leaves their machine: the page says the command. */
function nextStep(release: Release): HTMLElement {
  if (release.state !== 'in_review') return el('div');
  return card(
    'Decide',
    el('p', {}, 'Approvals are signed with your own key, on your machine:'),
    el('pre', {}, `lk approve ${release.id}\nlk reject ${release.id} --reason "…"`),
  );
}

function touches(release: Release, report: Report): HTMLElement {
  const { permissions } = release;
  const none = (list: readonly string[]): string => list.join(', ') || 'none';
  return card(
    'What it may touch',
    facts([
      ['Network', none(permissions.egress)],
      ['Folders', none(permissions.mounts.map((mount) => `${mount.target} (${mount.mode})`))],
      ['Variables', none(permissions.env)],
      [
        'Limits',
        `${permissions.limits.memoryMiB} MiB, ${permissions.limits.cpus} cpu, ${permissions.limits.pids} processes`,
      ],
      ['Tools', none(report.surface.tools)],
      ['Connections tried', none(report.egressTried)],
      ['Verified', `${report.closure.verified} of ${report.closure.artifacts} artifacts`],
    ]),
  );
}

function checks(report: Report): HTMLElement {
  const rows = report.checks.map((check) => [
    el('code', {}, check.id),
    check.title,
    tag(check.outcome),
    outcome(check),
  ]);
  return card('Checks', table(['Check', 'What', 'Outcome', 'Evidence'], rows));
}

function outcome(check: CheckResult): HTMLElement {
  if (check.outcome === 'ok') return el('span', { class: 'soft' }, check.note);
  if (check.outcome === 'unknown') return el('span', {}, check.reason);
  return el(
    'div',
    {},
    ...check.findings
      .slice(0, 20)
      .map((finding) =>
        el(
          'div',
          {},
          `${finding.severity}: ${finding.message}`,
          ...finding.evidence.slice(0, 5).map(evidence),
        ),
      ),
  );
}

function evidence(item: Evidence): HTMLElement {
  if (item.kind === 'change')
    return el(
      'pre',
      {},
      `${item.at}\n`,
      el('span', { class: 'before' }, `- ${item.before}\n`),
      el('span', { class: 'after' }, `+ ${item.after}`),
    );
  if (item.kind === 'file')
    return el('pre', {}, `${item.artifact} ${item.path}:${item.line}\n${item.excerpt}`);
  if (item.kind === 'text') return el('pre', {}, `${item.at}\n${item.excerpt}`);
  return el('pre', {}, `${item.source}: ${item.value}`);
}

function changes(diff: DiffView): HTMLElement {
  if (diff.before === null)
    return card(
      'Changes',
      el('p', { class: 'soft' }, 'No release of this server was approved before: all of it is new.'),
    );
  const rows = diff.changes.map((change) => [
    tag(change.risk),
    el('code', {}, change.at),
    el(
      'div',
      {},
      change.before === undefined ? null : el('pre', { class: 'before' }, `- ${shown(change.before)}`),
      change.after === undefined ? null : el('pre', { class: 'after' }, `+ ${shown(change.after)}`),
    ),
  ]);
  const packages = [
    ...diff.artifacts.added.map((purl) => `+ ${purl}`),
    ...diff.artifacts.removed.map((purl) => `- ${purl}`),
  ];
  return card(
    `Changes since ${diff.before.version}`,
    rows.length ? table(['Risk', 'Where', 'Change'], rows) : el('p', {}, 'The surface is the same.'),
    el('h2', {}, `Packages (${packages.length} changed)`),
    el('pre', {}, packages.join('\n') || 'The same.'),
  );
}

export async function audit(): Promise<HTMLElement> {
  const { records } = await ask<AuditList>('/v1/audit?limit=200');
  const rows = records.map(({ body }) => [
    day(body.at),
    body.user,
    body.subject ? `${body.subject.server} ${body.subject.version}` : '-',
    body.kind,
    body.target ?? body.method ?? '-',
    el('code', {}, body.arguments === undefined ? '-' : JSON.stringify(body.arguments).slice(0, 120)),
    body.data?.join(' ') ?? '-',
    [body.outcome, body.code].filter(Boolean).join(' ') || '-',
  ]);
  const body = rows.length
    ? table(['When (UTC)', 'User', 'Server', 'What', 'Tool', 'Arguments', 'Data', 'Outcome'], rows)
    : el('p', { class: 'soft' }, 'No call was recorded yet. Runtimes ship their journals as they run.');
  return el('div', {}, el('h1', {}, 'What happened'), card('', body));
}
