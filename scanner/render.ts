/** A report and a difference as a person reads them; at most about a screen. Colour is the caller's. */
import type { DiffView } from '../schemas/api.ts';
import { type Change, highestRisk } from '../schemas/diff.ts';
import type { CheckResult, Evidence, Report } from '../schemas/finding.ts';
import type { Release } from '../schemas/release.ts';
import { apart } from './excerpt.ts';

export interface Paint {
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
}

/** What was asked for with the release; a report alone does not say it. */
export type Asked = Pick<Release, 'permissions' | 'launch'>;

const WIDTH = 110;
const SHOWN_FINDINGS = 4;
/** Lines of one row of the summary. */
const MAX_LINES = 6;
const SHOWN_PACKAGES = 40;
/** Changes of a difference that are shown with their values; the rest are counted. */
const SHOWN_CHANGES = 60;
const UNSEEN =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]|[\u{e0000}-\u{e007f}]/gu;

/** Outside text on one line, with what cannot be seen shown by number. */
function line(text: string, width = WIDTH): string {
  const shown = text
    .replace(/[\s\u2028\u2029]+/g, ' ')
    .replace(UNSEEN, (c) => `\\u{${(c.codePointAt(0) ?? 0).toString(16)}}`);
  return shown.length > width ? `${shown.slice(0, width - 1)}…` : shown;
}

function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** The report; with what was asked for it also says what the server may touch. */
export function renderReport(report: Report, paint: Paint, asked?: Asked): string {
  const { release, checks } = report;
  const of = (outcome: CheckResult['outcome']): CheckResult[] =>
    checks.filter((check) => check.outcome === outcome);
  const where = `${release.source}, scanned ${report.scannedAt.slice(0, 16)} in ${report.scanner.isolation}`;
  return [
    `${paint.bold(line(`${release.name} ${release.version}`))}  ${paint.dim(line(where))}`,
    ...(report.trial ? [paint.yellow('TRIAL: one approval is enough in this registry.')] : []),
    '',
    ...summary(report, asked),
    '',
    ...of('fired').flatMap((check) => renderFired(check, paint)),
    ...[...of('unknown'), ...of('ok')].map((check) => renderQuiet(check, paint)),
  ].join('\n');
}

function summary(report: Report, asked: Asked | undefined): string[] {
  const { closure, surface, egressTried, baseline } = report;
  const verified =
    closure.verified === closure.artifacts ? 'all verified' : `only ${closure.verified} verified`;
  const size = `${(closure.bytes / 1024 / 1024).toFixed(1)} MiB`;
  const tools = surface.tools.length > 0 ? `${surface.tools.length}: ${surface.tools.join(', ')}` : 'none';
  const also = `${counted(surface.prompts, 'prompt')}, ${counted(surface.resources, 'resource')}; protocol ${surface.protocolVersion}`;
  const rows: [string, string][] = [
    ['Artifacts', `${closure.artifacts}, ${verified}, ${size}`],
    ['Tools', tools],
    ['Also', also],
  ];
  if (asked) rows.push(['May touch', touches(asked)]);
  rows.push(['Tried', egressTried.join(', ') || 'no connection while observed']);
  if (surface.volatile.length > 0) rows.push(['Not pinned', surface.volatile.join(', ')]);
  rows.push([
    'Against',
    baseline ? `${baseline.version}, the last approved` : 'nothing: the first release of this server',
  ]);
  return rows.flatMap(([name, text]) =>
    wrapped(text).map((part, index) => `${(index === 0 ? name : '').padEnd(11)}${part}`),
  );
}

/** Words over as many lines as a summary may take; a word that is too long for one is cut. */
function wrapped(text: string, width = WIDTH - 11): string[] {
  const lines: string[] = [];
  let current = '';
  for (const word of line(text, MAX_LINES * width).split(' ')) {
    if (current !== '' && current.length + 1 + word.length > width) {
      lines.push(current);
      current = '';
    }
    current = current === '' ? line(word, width) : `${current} ${word}`;
  }
  return [...lines, current].slice(0, MAX_LINES);
}

function touches({ permissions, launch }: Asked): string {
  const { egress, mounts, env } = permissions;
  const parts = [
    egress.length > 0 ? `network ${egress.join(' ')}` : 'no network',
    mounts.length > 0
      ? `files ${mounts.map(({ target, mode }) => `${target} (${mode})`).join(' ')}`
      : 'no files',
    env.length > 0 ? `variables ${env.join(' ')}` : 'no variables',
  ];
  if (launch?.projectArgs) parts.push('arguments of the project');
  return parts.join('; ');
}

function renderQuiet(check: CheckResult, paint: Paint): string {
  const head = `${check.id}  ${check.title}`;
  if (check.outcome === 'unknown') {
    return `${paint.yellow('unknown')}  ${head}: ${line(check.reason, 80)}`;
  }
  return `${paint.green('ok     ')}  ${head}: ${paint.dim(line(check.outcome === 'ok' ? check.note : '', 80))}`;
}

function renderFired(check: CheckResult, paint: Paint): string[] {
  if (check.outcome !== 'fired') return [];
  const { findings, id, title, gates } = check;
  const more = findings.length - SHOWN_FINDINGS;
  return [
    `${paint.red('fired  ')}  ${id}  ${title}${gates ? paint.dim(' (must be accepted to approve)') : ''}`,
    ...findings
      .slice(0, SHOWN_FINDINGS)
      .flatMap((one) => [
        `         ${one.severity}: ${line(one.message)}`,
        ...one.evidence.slice(0, 2).flatMap((item) => renderEvidence(item, paint)),
      ]),
    ...(more > 0 ? [`         and ${more} more (--json shows all)`] : []),
  ];
}

function renderEvidence(item: Evidence, paint: Paint): string[] {
  const pad = '           ';
  if (item.kind === 'change') {
    const before = paint.red(`- ${line(item.before, 90)}`);
    return [
      `${pad}${line(item.at, 90)}`,
      `${pad}${before}`,
      `${pad}${paint.green(`+ ${line(item.after, 90)}`)}`,
    ];
  }
  if (item.kind === 'file') {
    return [`${pad}${line(`${item.path}:${item.line}`, 60)}  ${paint.dim(line(item.excerpt, 80))}`];
  }
  const text = item.kind === 'text' ? item.excerpt : `${item.source}: ${item.value}`;
  return [`${pad}${paint.dim(line(text, 100))}`];
}

const RANK: readonly Change['risk'][] = ['risk', 'contract', 'text', 'additive', 'cosmetic'];

/** Field by field, gravest first, each with its class and what it was and is. */
export function renderDiff(view: DiffView, paint: Paint): string {
  const { before, after, changes, artifacts } = view;
  if (before === null) {
    return `Nothing of this server was approved before ${line(after.version)}: all of it is new.`;
  }
  const top = highestRisk(changes);
  const packages = `${counted(artifacts.added.length, 'package')} added, ${artifacts.removed.length} removed`;
  const upTo = top ? `, up to class ${paintRisk(top, paint).trim()}` : '';
  const sorted = [...changes].sort((a, b) => RANK.indexOf(a.risk) - RANK.indexOf(b.risk));
  const more = sorted.length - SHOWN_CHANGES;
  return [
    `${paint.bold(line(`${before.version} -> ${after.version}`))}: ${counted(changes.length, 'change')} of the surface${upTo}; ${packages}`,
    ...(changes.length > 0 ? [''] : []),
    ...sorted.slice(0, SHOWN_CHANGES).flatMap((change) => renderChange(change, paint)),
    ...(more > 0 ? [`and ${more} more (--json shows all)`] : []),
    ...renderPackages(artifacts, paint),
  ].join('\n');
}

function renderPackages({ added, removed }: DiffView['artifacts'], paint: Paint): string[] {
  const all = [
    ...added.map((purl) => paint.green(`+ ${line(purl)}`)),
    ...removed.map((purl) => paint.red(`- ${line(purl)}`)),
  ];
  if (all.length === 0) return [];
  const more = all.length - SHOWN_PACKAGES;
  return [
    '',
    paint.bold('Packages'),
    ...all.slice(0, SHOWN_PACKAGES),
    ...(more > 0 ? [`and ${more} more`] : []),
  ];
}

function renderChange(change: Change, paint: Paint): string[] {
  let before = shown(change.before);
  let after = shown(change.after);
  if (before !== null && after !== null) [before, after] = apart(before, after, WIDTH);
  return [
    `${paintRisk(change.risk, paint)}  ${change.kind}  ${line(change.at, 90)}`,
    ...(before === null ? [] : [paint.red(`  - ${line(before)}`)]),
    ...(after === null ? [] : [paint.green(`  + ${line(after)}`)]),
  ];
}

function shown(value: unknown): string | null {
  if (value === undefined) return null;
  return (typeof value === 'string' ? value : JSON.stringify(value)).replace(/\s+/g, ' ');
}

function paintRisk(risk: Change['risk'], paint: Paint): string {
  const word = risk.padEnd(8);
  if (risk === 'risk') return paint.red(word);
  return risk === 'contract' || risk === 'text' ? paint.yellow(word) : paint.dim(word);
}
