/** A report as a person reads it: on one screen, what is open first. Colour is the caller's. */
import type { Report } from '../../schemas/finding.ts';
import type { GitReport } from '../../schemas/git.ts';
import type { BundleReport } from '../../schemas/mcpb.ts';
import type { ImageReport } from '../../schemas/oci.ts';
import { isLocal, type Launch, type Release, takesArgs } from '../../schemas/release.ts';
import type { InstalledReport } from '../../schemas/sbom.ts';
import { counted, line, type Paint, sized, WIDTH, wrapped } from '../text.ts';
import { calledLine } from './behaviour.ts';
import { builtLine } from './built.ts';
import { renderChecks } from './checks.ts';

/** What was asked for with the release; a report alone does not say it. */
type Asked = Pick<Release, 'permissions' | 'launch'>;

const SHOWN_LICENCES = 8;
interface Wish {
  /** Absent for a scan without a registry, where nobody approves. */
  readonly asked?: Asked;
  /** Each check with what it saw, however many lines that takes. */
  readonly full?: boolean;
}

/** Lines of a report: a screen has room for a few more around it. Only what fired may take more. */
const SCREEN = 34;
/** Lines of one row of the summary. */
const MAX_LINES = 6;

/** The report; with what was asked for it also says what the server may touch. */
export function renderReport(report: Report, paint: Paint, { asked, full = false }: Wish = {}): string {
  const gate = asked ? 'must be accepted to approve' : 'gates';
  const head = [...title(report, paint), '', ...summary(report, asked), ''];
  const room = full ? Number.POSITIVE_INFINITY : SCREEN - head.length;
  return [...head, ...renderChecks(report.checks, { paint, gate, room })].join('\n');
}

function title({ release, scannedAt, scanner, trial }: Report, paint: Paint): string[] {
  const name = line(`${release.name} ${release.version}`);
  const where = line(`${release.source}, scanned ${scannedAt.slice(0, 16)}Z in ${scanner.isolation}`);
  return [
    ...(name.length + 2 + where.length > WIDTH
      ? [paint.bold(name), paint.dim(where)]
      : [`${paint.bold(name)}  ${paint.dim(where)}`]),
    ...(trial ? [paint.yellow('TRIAL: one approval is enough in this registry.')] : []),
  ];
}

function summary(report: Report, asked: Asked | undefined): string[] {
  const { closure, surface, egressTried, baseline } = report;
  const verified =
    closure.verified === closure.artifacts ? 'all verified' : `only ${closure.verified} verified`;
  const tools = surface.tools.length > 0 ? `${surface.tools.length}: ${surface.tools.join(', ')}` : 'none';
  const also = `${counted(surface.prompts, 'prompt')}, ${counted(surface.resources, 'resource')}; protocol ${surface.protocolVersion}`;
  const rows: [string, string][] = [
    ['Artifacts', `${closure.artifacts}, ${verified}, ${sized(closure.bytes)}${unpackedText(report)}`],
    ...(closure.built ? [['Built', builtLine(closure.built)] satisfies [string, string]] : []),
    ...(report.image ? [imageRow(report.image)] : []),
    ...(report.installed ? licenceRow(report.installed) : []),
    ...(report.bundle ? [bundleRow(report.bundle)] : []),
    ...(report.git ? [gitRow(report.git)] : []),
    ['Tools', tools],
    ['Also', also],
  ];
  if (asked) rows.push(['May touch', touches(asked)]);
  if (asked?.launch) rows.push(startedRow(asked.launch));
  rows.push(['Tried', egressTried.join(', ') || 'no connection while observed']);
  if (report.behaviour) rows.push(['Called', calledLine(report.behaviour)]);
  if (surface.volatile.length > 0) rows.push(['Not pinned', surface.volatile.join(', ')]);
  rows.push([
    'Against',
    asked ? approvedBefore(baseline) : (baseline?.version ?? 'nothing: --against names it'),
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

function approvedBefore(baseline: Report['baseline']): string {
  return baseline ? `${baseline.version}, the last approved` : 'nothing: the first release of this server';
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

function bundleRow({
  name,
  author,
  kind,
  files,
  unpacked,
  packages,
  signed,
}: BundleReport): [string, string] {
  const size = `${(unpacked / 1024 / 1024).toFixed(1)} MiB in ${counted(files, 'file')}`;
  const inside = `${counted(packages, 'package')} inside`;
  const mark = signed ? '; it carries a signature, which is not believed' : '';
  return ['Bundle', line(`${name} by ${author}, as it says; for ${kind}, ${size}, ${inside}${mark}`, 200)];
}

function gitRow({ commit, tag, tagSigned, commitSigned, committedAt }: GitReport): [string, string] {
  const when = `committed ${committedAt.slice(0, 10)}, as it says`;
  const tagged = tag === null ? 'no tag' : `tag ${tag}: ${tagSigned}`;
  return ['Commit', line(`${commit.slice(0, 12)}, ${when}; ${commitSigned}; ${tagged}`, 400)];
}

function startedRow(launch: Launch): [string, string] {
  if (isLocal(launch)) {
    const { command, python, image, env = {} } = launch;
    const set = Object.entries(env).map(([name, value]) => `${name}=${value} `);
    const where = image ? ` in ${image.workingDir} of the image` : '';
    const on = python ? ` on Python ${python.version}, ${python.abi}` : where;
    return ['Started as', `${set.join('')}${command.join(' ')}${on}`];
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
