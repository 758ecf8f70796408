import { openVerdict } from '../../runtime/trust/verdict.ts';
import { gravestFirst } from '../../scanner/render/checks.ts';
import { renderReport } from '../../scanner/render/report.ts';
import { counted } from '../../scanner/text.ts';
import { AdvisoryList } from '../../schemas/advisory.ts';
import { subjectsOf } from '../../schemas/approval.ts';
import { Attention } from '../../schemas/attention.ts';
import { Envelope } from '../../schemas/dsse.ts';
import { asLockkeeperError } from '../../schemas/errors.ts';
import { Report } from '../../schemas/finding.ts';
import { digestOf } from '../../schemas/json.ts';
import { Release, ReleaseState, type Release as ReleaseView } from '../../schemas/release.ts';
import { ReviewView } from '../../schemas/review.ts';
import { advisoryLines, heldLines, locksText } from '../advisories.ts';
import type { Api } from '../api.ts';
import { type Command, type Context, flag, oneOf, option, type Result } from '../command.ts';
import { clip, plain, table } from '../output.ts';
import { acceptWords, findRelease, listReleases } from '../releases.ts';
import { attentionLines, dueText, reviewLines } from '../reviewed.ts';
import { rootAt } from '../roots.ts';

const STATES = [...ReleaseState.anyOf.map(({ const: state }) => state), 'all'];

export const review: Command = {
  summary: 'list what waits for review, or show one release with its report',
  words: '[NAME[@VERSION] | ID]',
  options: {
    state: option.text(
      'list this state instead: submitted, scanning, in_review, approved, rejected, deprecated, revoked, all',
    ),
    full: option.flag('tell of each check what it saw, longer than a screen'),
    rescan: option.flag('have this approved release scanned once more, beside what was approved'),
  },
  examples: ['lk review', 'lk review filesystem@2025.8.21', 'lk review --state approved'],
  arity: [0, 1],
  async run(context, [spec], values) {
    const state = oneOf(values, 'state', STATES) ?? 'in_review';
    const api = await context.api();
    if (spec === undefined) return listed(context, api, state);
    const release = await findRelease(api, spec);
    if (flag(values, 'rescan')) return rescanned(api, release);
    if (release.reportDigest === null) {
      return {
        data: { release },
        text: `${release.name} ${release.version} is ${release.state.replaceAll('_', ' ')}${release.reason ? `: ${plain(release.reason.replace(/\.$/, ''))}` : ''}. It has no report yet.`,
      };
    }
    const report = await api.call('report', Report, { parameters: { id: release.id } });
    const reviewed = await api.call('review', ReviewView, { parameters: { id: release.id } });
    const known = await api.call('advisories', AdvisoryList, { query: { release: String(release.id) } });
    const verdict = await verdictLine(context, api, release, report);
    const reason = release.reason ? `: ${plain(release.reason.replace(/\.$/, ''))}` : '';
    const head = [
      `Release ${release.id} is ${release.state.replaceAll('_', ' ')}${reason}. Requested by ${release.requestedBy}.`,
      ...release.approvals.flatMap(approvalLines),
      verdict,
      ...reviewLines(release, reviewed, context.now()),
      ...knownLines(known, context),
    ].join('\n');
    const shown = renderReport(report, context.paint, { asked: release, full: flag(values, 'full') });
    const next =
      release.state === 'in_review'
        ? `Next: lk diff ${release.id}, then lk approve ${release.id}${acceptWords(report.checks)} or lk reject ${release.id} --reason TEXT`
        : '';
    return {
      data: { release, report, review: reviewed, advisories: known.releases[0]?.advisories ?? [] },
      text: [head, '', shown, ...(next === '' ? [] : ['', next])].join('\n'),
    };
  },
};

/** That it is signed says nothing of what it says: both are told, and what is open by name. */
export function verdictText(checks: Report['checks']): string {
  const open = checks.filter(({ gates, outcome }) => gates && outcome !== 'ok').map(({ id }) => id);
  const verdict = open.length === 0 ? 'passed' : `not passed, ${open.join(' ')} open`;
  return `The scanner's signature on this report holds. Its verdict: ${verdict}.`;
}

/** What the scanner's key signed about this report; without its signature nobody can approve. */
async function verdictLine(
  context: Context,
  api: Api,
  release: ReleaseView,
  report: Report,
): Promise<string> {
  try {
    const envelope = await api.call('verdict', Envelope, { parameters: { id: release.id } });
    openVerdict(envelope, await rootAt(context, api), {
      purl: release.purl,
      reportDigest: digestOf(report),
      subject: subjectsOf(release),
    });
    return verdictText(report.checks);
  } catch (thrown) {
    const { message, code } = asLockkeeperError(thrown);
    return context.paint.red(`The scanner did not sign this report: ${plain(message)} [${code}]`);
  }
}

async function rescanned(api: Api, { id }: ReleaseView): Promise<Result> {
  const release = await api.call('rescan', Release, { parameters: { id }, body: {} });
  const what = `${release.name} ${release.version}`;
  return { data: { release }, text: `${what} is to be scanned again. What it shows: lk review ${id}` };
}

/** What tells releases apart, within 100 columns for names of usual length. */
export function releaseTable(
  releases: readonly ReleaseView[],
  state: string,
  { now, gravest }: { readonly now: Date; readonly gravest?: ReadonlyMap<number, string> | undefined },
): string {
  // Where one state was asked for, all are in it.
  const [any, head] = state === 'all' ? [true, ['STATE']] : [false, []];
  const rows = releases.map((r) => [
    String(r.id),
    `${r.name}@${r.version}`,
    ...(any ? [r.state.replaceAll('_', ' ')] : []),
    ...(gravest ? [gravest.get(r.id) ?? 'no report', clip(r.requestedBy, 10)] : [clip(r.requestedBy, 20)]),
    String(r.approvals.length),
    dueText(r, now) || r.submittedAt.slice(0, 10),
  ]);
  const seen = gravest ? ['GRAVEST'] : [];
  return table(['ID', 'RELEASE', ...head, ...seen, 'ASKED BY', 'SIGNED', 'SINCE'], rows);
}

async function listed(context: Context, api: Api, state: string): Promise<Result> {
  const releases = await listReleases(api, state === 'all' ? {} : { state });
  const none = `Nothing is ${state === 'all' ? 'here' : state.replace('_', ' ')}.`;
  const gravest = state === 'in_review' ? await gravestIn(api, releases) : undefined;
  const list = releases.length > 0 ? releaseTable(releases, state, { now: context.now(), gravest }) : none;
  // Of another state, only what was asked for.
  if (state !== 'in_review') return { data: { releases }, text: list };
  const attention = await api.call('attention', Attention);
  const { first, below } = attentionLines(attention);
  const coming = (
    await Promise.all(['submitted', 'scanning'].map((one) => listReleases(api, { state: one })))
  ).flat().length;
  const scans = coming > 0 ? [`${counted(coming, 'release')} in the scanner: lk review --state all`] : [];
  const parts = [first.map((line) => context.paint.red(plain(line))), [list, ...scans], below.map(plain)];
  const shown = parts.filter((lines) => lines.length > 0).map((lines) => lines.join('\n'));
  const data = { releases, gravest: Object.fromEntries(gravest ?? []), ...attention };
  return { data, text: shown.join('\n\n') };
}

/** The severity of the gravest finding by release, `-` where nothing fired; ten reports are asked for at a time. */
async function gravestIn(api: Api, releases: readonly ReleaseView[]): Promise<Map<number, string>> {
  const found = new Map<number, string>();
  const waiting = releases.filter(({ reportDigest }) => reportDigest !== null);
  for (let at = 0; at < waiting.length; at += 10)
    await Promise.all(
      waiting.slice(at, at + 10).map(async ({ id }) => {
        const { checks } = await api.call('report', Report, { parameters: { id } });
        found.set(id, gravestFirst(checks)[0]?.findings[0]?.severity ?? '-');
      }),
    );
  return found;
}

/** What became known since the scan stands above the report. */
function knownLines({ releases }: AdvisoryList, { paint }: Context): string[] {
  const [release] = releases;
  if (!release || release.advisories.length === 0) return [];
  return [
    paint.red(`Known against it (${locksText(releases)}):`),
    ...heldLines(release, paint),
    ...advisoryLines(release.advisories),
  ];
}

function approvalLines({
  person,
  environments,
  expires,
  accepts,
}: ReleaseView['approvals'][number]): string[] {
  return [
    `Approved by ${person} for ${environments.join(', ')}, until ${expires.slice(0, 10)}.`,
    ...Object.entries(accepts).map(([check, why]) => `  accepts ${check}: ${plain(why)}`),
  ];
}
