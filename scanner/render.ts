/** A report as a person reads it; at most about a screen. Colour is the caller's. */
import type { CheckResult, Evidence, Report } from '../schemas/finding.ts';
import type { ImageReport } from '../schemas/oci.ts';
import { isLocal, type Launch, type Release, takesArgs } from '../schemas/release.ts';
import type { InstalledReport } from '../schemas/sbom.ts';
import { counted, line, type Paint, sized, WIDTH, wrapped } from './text.ts';

/** What was asked for with the release; a report alone does not say it. */
export type Asked = Pick<Release, 'permissions' | 'launch'>;

const SHOWN_FINDINGS = 4;
const SHOWN_LICENCES = 8;
/** Lines of one row of the summary. */
const MAX_LINES = 6;
/** The report; with what was asked for it also says what the server may touch. */
export function renderReport(report: Report, paint: Paint, asked?: Asked): string {
  const { release, checks } = report;
  const of = (outcome: CheckResult['outcome']): CheckResult[] =>
    checks.filter((check) => check.outcome === outcome);
  const where = `${release.source}, scanned ${report.scannedAt.slice(0, 16)}Z in ${report.scanner.isolation}`;
  return [
    `${paint.bold(line(`${release.name} ${release.version}`))}  ${paint.dim(line(where))}`,
    ...(report.trial ? [paint.yellow('TRIAL: one approval is enough in this registry.')] : []),
    '',
    ...summary(report, asked),
    '',
    ...of('fired').flatMap((check) => renderFired(check, paint)),
    ...together(of('unknown')).map((check) => renderQuiet(check, paint)),
    ...of('ok').map((check) => renderQuiet(check, paint)),
  ].join('\n');
}

function summary(report: Report, asked: Asked | undefined): string[] {
  const { closure, surface, egressTried, baseline } = report;
  const verified =
    closure.verified === closure.artifacts ? 'all verified' : `only ${closure.verified} verified`;
  const tools = surface.tools.length > 0 ? `${surface.tools.length}: ${surface.tools.join(', ')}` : 'none';
  const also = `${counted(surface.prompts, 'prompt')}, ${counted(surface.resources, 'resource')}; protocol ${surface.protocolVersion}`;
  const rows: [string, string][] = [
    ['Artifacts', `${closure.artifacts}, ${verified}, ${sized(closure.bytes)}${unpackedText(report)}`],
    ...(report.image ? [imageRow(report.image)] : []),
    ...(report.installed ? licenceRow(report.installed) : []),
    ['Tools', tools],
    ['Also', also],
  ];
  if (asked) rows.push(['May touch', touches(asked)]);
  if (asked?.launch) rows.push(startedRow(asked.launch));
  rows.push(['Tried', egressTried.join(', ') || 'no connection while observed']);
  if (surface.volatile.length > 0) rows.push(['Not pinned', surface.volatile.join(', ')]);
  rows.push([
    'Against',
    baseline ? `${baseline.version}, the last approved` : 'nothing: the first release of this server',
  ]);
  return rows.flatMap(([name, text]) =>
    wrapped(text, WIDTH - 11)
      .slice(0, MAX_LINES)
      .map((part, index) => `${(index === 0 ? name : '').padEnd(11)}${part}`),
  );
}

function unpackedText({ installed }: Report): string {
  const whole = installed?.unpacked;
  return whole ? `; ${sized(whole.bytes)} in ${counted(whole.files, 'file')} unpacked` : '';
}

function licenceRow({ packages, licences }: InstalledReport): [string, string][] {
  if (packages === 0) return [];
  const shown = licences
    .slice(0, SHOWN_LICENCES)
    .map(({ licence, packages: count }) => `${licence ?? 'unknown'} ${count}`);
  const more = licences.length - SHOWN_LICENCES;
  const rest = more > 0 ? ` and ${more} more (lk sbom shows all)` : '';
  return [['Licences', `${shown.join(', ')}${rest}`]];
}

function imageRow({
  platform,
  layers,
  unpacked,
  files,
  user,
  created,
  others,
}: ImageReport): [string, string] {
  const size = `${sized(unpacked)} in ${counted(files, 'file')} unpacked`;
  const made = created === null ? '' : `, made ${created.slice(0, 10)} as it says`;
  const more = others.length > 0 ? `; its index also has ${others.join(', ')}` : '';
  return ['Image', `${platform}, ${counted(layers, 'layer')}, ${size}, user ${user || 'root'}${made}${more}`];
}

function startedRow(launch: Launch): [string, string] {
  if (isLocal(launch)) {
    const { command, python, image } = launch;
    const where = image ? ` in ${image.workingDir} of the image` : '';
    const on = python ? ` on Python ${python.version}, ${python.abi}` : where;
    return ['Started as', `${command.join(' ')}${on}`];
  }
  const { url, transport, reach, tls } = launch;
  const keys = [
    ...tls.leaf.map((key) => `has the key ${key}`),
    ...tls.issuer.map((key) => `is issued by ${key}`),
  ];
  const trusted = tls.ca === null ? '' : ', under an authority of its own';
  const where = reach === 'private' ? ', in a private network' : '';
  return ['Runs at', `${url} (${transport}${where}), whoever ${keys.join(' or ')}${trusted}`];
}

function touches({ permissions, launch }: Asked): string {
  const { egress, mounts, env, secrets = [], labels = {} } = permissions;
  const parts = [
    egress.length > 0 ? `network ${egress.join(' ')}` : 'no network',
    mounts.length > 0
      ? `files ${mounts.map(({ target, mode }) => `${target} (${mode})`).join(' ')}`
      : 'no files',
    env.length > 0 ? `variables ${env.join(' ')}` : 'no variables',
  ];
  if (secrets.length > 0) parts.push(`secrets ${secrets.join(' ')}`);
  if (launch && takesArgs(launch)) parts.push('arguments of the project');
  const said = Object.entries(labels).map(([tool, own]) => `${tool} (${own.join(', ') || 'none'})`);
  if (said.length > 0) parts.push(`labels ${said.join(' ')}`);
  return parts.join('; ');
}

/** Checks that do not know for one reason are one line: a proxy that strips signatures silences many. */
function together(checks: readonly CheckResult[]): CheckResult[] {
  const byReason = new Map<string, CheckResult[]>();
  for (const check of checks) {
    const reason = check.outcome === 'unknown' ? check.reason : '';
    byReason.set(reason, [...(byReason.get(reason) ?? []), check]);
  }
  return [...byReason.values()].flatMap(([first, ...others]) => {
    if (first === undefined) return [];
    const ids = others.map(({ id }) => id);
    return [ids.length === 0 ? first : { ...first, title: `${first.title}, and ${ids.join(' ')}` }];
  });
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
