/** A scan as Markdown, for a comment under a change or a page of a wiki. Outside words cannot become markup. */
import type { CheckResult, Evidence, Report } from '../../schemas/finding.ts';
import type { Scan, ScanTarget } from '../../schemas/scan.ts';
import { counted, line, sized } from '../text.ts';
import { builtLine } from './built.ts';
import { gravestFirst } from './checks.ts';

const HEAD = {
  ok: 'Nothing stands against it',
  refused: 'Refused',
  unverified: 'Could not be verified',
} as const;
const SHOWN_FINDINGS = 20;
const SHOWN_LICENCES = 20;

/** Pure. */
export function toMarkdown(scan: Scan): string {
  const rows = scan.targets.map(({ target, source, conclusion, report }) => {
    const cells = [target, source ?? '', HEAD[conclusion], firedIn(report?.checks ?? [])];
    return `| ${cells.map((cell) => code(cell)).join(' | ')} |`;
  });
  return [
    `# Scan: ${HEAD[scan.conclusion].toLowerCase()}`,
    '',
    '| Server | Source | Conclusion | Fired |',
    '| --- | --- | --- | --- |',
    ...rows,
    ...scan.targets.flatMap(sectionOf),
    '',
  ].join('\n');
}

function firedIn(checks: readonly CheckResult[]): string {
  return gravestFirst(checks)
    .map(({ id }) => id)
    .join(' ');
}

function sectionOf({ target, source, notes, report, error }: ScanTarget): string[] {
  const checks = report?.checks ?? [];
  return [
    '',
    `## ${escaped(source ?? target)}`,
    '',
    ...(report ? materials(report) : []),
    ...notes.map(({ id, severity, message }) => `- **${id}** ${severity}: ${escaped(message)}`),
    ...(error ? [`- **${error.code}** ${escaped(error.message)}`] : []),
    ...gravestFirst(checks).flatMap(firedLines),
    ...checks.flatMap((check) =>
      check.outcome === 'unknown'
        ? [`- **${check.id}** unknown: ${escaped(check.title)}: ${escaped(check.reason)}`]
        : [],
    ),
    ...(report
      ? [
          `- ok: ${
            checks
              .filter(({ outcome }) => outcome === 'ok')
              .map(({ id }) => id)
              .join(' ') || 'none'
          }`,
        ]
      : []),
  ];
}

function materials({ closure, installed }: Report): string[] {
  if (!installed) return [];
  const { packages, unpacked, licences } = installed;
  const whole = unpacked ? `; ${sized(unpacked.bytes)} in ${counted(unpacked.files, 'file')} unpacked` : '';
  const said = licences
    .slice(0, SHOWN_LICENCES)
    .map(({ licence, packages: n }) => `${licence ?? 'unknown'} ${n}`);
  const more = licences.length > SHOWN_LICENCES ? [`${licences.length - SHOWN_LICENCES} more`] : [];
  return [
    `- ${counted(packages, 'package')}, ${sized(closure.bytes)}${whole}`,
    ...(closure.built ? [`- built ${escaped(builtLine(closure.built))}`] : []),
    ...(said.length > 0 ? [`- licences: ${escaped([...said, ...more].join(', '))}`] : []),
  ];
}

function firedLines(check: CheckResult & { outcome: 'fired' }): string[] {
  const { findings, id, title, gates } = check;
  const more = findings.length - SHOWN_FINDINGS;
  return [
    `- **${id}** ${escaped(title)}${gates ? ' (gates)' : ''}`,
    ...findings
      .slice(0, SHOWN_FINDINGS)
      .flatMap(({ severity, message, evidence }) => [
        `  - ${severity}: ${escaped(message)}`,
        ...evidence.slice(0, 3).map((item) => `    - ${code(evidenceText(item))}`),
      ]),
    ...(more > 0 ? [`  - and ${more} more`] : []),
  ];
}

function evidenceText(item: Evidence): string {
  if (item.kind === 'change') return `${item.at}: ${item.before} → ${item.after}`;
  if (item.kind === 'file') return `${item.artifact}/${item.path}:${item.line} ${item.excerpt}`;
  return item.kind === 'text' ? `${item.at}: ${item.excerpt}` : `${item.source}: ${item.value}`;
}

/** As code, in as many backquotes as it takes. */
function code(text: string): string {
  const shown = line(text, 200).replaceAll('|', '\\|');
  if (shown.trim() === '') return '';
  const fence = '`'.repeat(Math.max(0, ...(shown.match(/`+/g) ?? []).map((run) => run.length)) + 1);
  const pad = /^`|`$/.test(shown) ? ' ' : '';
  return `${fence}${pad}${shown}${pad}${fence}`;
}

function escaped(text: string): string {
  return line(text, 400).replace(/[\\`*_{}[\]<>()#+!|~@&-]/g, (mark) => `\\${mark}`);
}
