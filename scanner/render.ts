/** A report and a difference as a person reads them; at most about a screen. Colour is the caller's. */
import type { DiffView } from '../schemas/api.ts';
import { type Change, highestRisk } from '../schemas/diff.ts';
import type { CheckResult, Evidence, Report } from '../schemas/finding.ts';

export interface Paint {
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
}

const WIDTH = 110;

/** Outside text on one line, with what cannot be seen shown by number. */
function line(text: string, width = WIDTH): string {
  const shown = text
    .replace(/\s+/g, ' ')
    .replace(
      /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]|[\u{e0000}-\u{e007f}]/gu,
      (c) => `\\u{${(c.codePointAt(0) ?? 0).toString(16)}}`,
    );
  return shown.length > width ? `${shown.slice(0, width - 1)}…` : shown;
}

function mebibytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}

export function renderReport(report: Report, paint: Paint): string {
  const { closure, surface, release } = report;
  const fired = report.checks.filter((check) => check.outcome === 'fired');
  const unknown = report.checks.filter((check) => check.outcome === 'unknown');
  const ok = report.checks.filter((check) => check.outcome === 'ok');
  return [
    paint.bold(`${release.name} ${release.version}`) +
      paint.dim(
        `  ${release.source}, scanned ${report.scannedAt.slice(0, 16)} in ${report.scanner.isolation}`,
      ),
    ...(report.trial ? [paint.yellow('TRIAL: one approval is enough in this registry.')] : []),
    '',
    `Artifacts  ${closure.artifacts}, ${closure.verified} verified, ${mebibytes(closure.bytes)}`,
    `Tools      ${surface.tools.length ? line(`${surface.tools.length}: ${surface.tools.join(', ')}`) : 'none'}`,
    `Also       ${surface.prompts} prompts, ${surface.resources} resources; protocol ${surface.protocolVersion}`,
    `Tried      ${report.egressTried.join(', ') || 'no connection while observed'}`,
    ...(surface.volatile.length ? [`Volatile   ${line(surface.volatile.join(', '))}`] : []),
    `Against    ${report.baseline ? `${report.baseline.version}, the last approved` : 'nothing: the first release of this server'}`,
    '',
    ...fired.flatMap((check) => renderFired(check, paint)),
    ...unknown.map(
      (check) =>
        `${paint.yellow('unknown')}  ${check.id}  ${check.title}: ${line(check.outcome === 'unknown' ? check.reason : '', 80)}`,
    ),
    ...ok.map(
      (check) =>
        `${paint.green('ok     ')}  ${check.id}  ${check.title}: ${paint.dim(line(check.outcome === 'ok' ? check.note : '', 80))}`,
    ),
  ].join('\n');
}

function renderFired(check: CheckResult, paint: Paint): string[] {
  if (check.outcome !== 'fired') return [];
  const shown = check.findings.slice(0, 4);
  const more = check.findings.length - shown.length;
  return [
    `${paint.red('fired  ')}  ${check.id}  ${check.title}`,
    ...shown.flatMap((one) => [
      `         ${one.severity}: ${line(one.message)}`,
      ...one.evidence.slice(0, 3).flatMap((item) => renderEvidence(item, paint)),
    ]),
    ...(more > 0 ? [`         and ${more} more (--json shows all)`] : []),
  ];
}

function renderEvidence(item: Evidence, paint: Paint): string[] {
  const pad = '           ';
  if (item.kind === 'change')
    return [
      `${pad}${line(item.at, 90)}`,
      `${pad}${paint.red(`- ${line(item.before, 90)}`)}`,
      `${pad}${paint.green(`+ ${line(item.after, 90)}`)}`,
    ];
  if (item.kind === 'file') return [`${pad}${item.path}:${item.line}  ${paint.dim(line(item.excerpt, 80))}`];
  if (item.kind === 'text') return [`${pad}${paint.dim(line(item.excerpt, 100))}`];
  return [`${pad}${paint.dim(line(`${item.source}: ${item.value}`, 100))}`];
}

export function renderDiff(view: DiffView, paint: Paint): string {
  if (view.before === null)
    return `Nothing of this server was approved before ${view.after.version}: all of it is new.`;
  const { changes, artifacts } = view;
  const top = highestRisk(changes);
  const head = `${paint.bold(`${view.before.version} -> ${view.after.version}`)}: ${changes.length} changes of the surface${top ? `, up to ${paintRisk(top, paint)}` : ''}; ${artifacts.added.length} packages added, ${artifacts.removed.length} removed`;
  const body = changes.flatMap((change) => renderChange(change, paint));
  const packages = [
    ...artifacts.added.map((purl) => paint.green(`+ ${purl}`)),
    ...artifacts.removed.map((purl) => paint.red(`- ${purl}`)),
  ];
  return [
    head,
    '',
    ...body,
    ...(packages.length
      ? [
          '',
          paint.bold('Packages'),
          ...packages.slice(0, 40),
          ...(packages.length > 40 ? [`and ${packages.length - 40} more`] : []),
        ]
      : []),
  ].join('\n');
}

function renderChange(change: Change, paint: Paint): string[] {
  const show = (value: unknown): string => line(typeof value === 'string' ? value : JSON.stringify(value));
  return [
    `${paintRisk(change.risk, paint)}  ${change.kind}  ${line(change.at, 90)}`,
    ...(change.before === undefined ? [] : [paint.red(`  - ${show(change.before)}`)]),
    ...(change.after === undefined ? [] : [paint.green(`  + ${show(change.after)}`)]),
  ];
}

function paintRisk(risk: Change['risk'], paint: Paint): string {
  const word = risk.padEnd(8);
  return risk === 'risk'
    ? paint.red(word)
    : risk === 'contract' || risk === 'text'
      ? paint.yellow(word)
      : paint.dim(word);
}
