/** What checks say, for people: what fired, what is not known, and what is in order. */
import type { CheckResult, Evidence, Severity } from '../../schemas/finding.ts';
import { apart } from '../excerpt.ts';
import { line, type Paint, WIDTH, wrapped } from '../text.ts';

/** Lines that are left to what is in order, before a finding gets more than one. */
const LEAST_OK = 6;
/** Findings shown of a check, and pieces of evidence of each: the first that fits. */
const DETAILS = [
  [4, 2],
  [2, 1],
  [1, 1],
] as const;
type Detail = (typeof DETAILS)[number];
/** Lines of a reason and of a finding's sentence, and of names alone. */
const MAX_SENTENCE = 3;
const MAX_NAMES = 6;
/** Where the words of a check begin. */
const PAD = 9;

type Fired = CheckResult & { readonly outcome: 'fired' };
const GRAVEST_FIRST: readonly Severity[] = ['critical', 'high', 'medium', 'low', 'info'];

/** What fired, the gravest first, in each check too: a screen has room for the first ones alone. */
export function gravestFirst(checks: readonly CheckResult[]): Fired[] {
  const rank = ({ severity }: Fired['findings'][number]): number => GRAVEST_FIRST.indexOf(severity);
  const top = ({ findings: [first] }: Fired): number => (first ? rank(first) : GRAVEST_FIRST.length);
  return checks
    .flatMap((check) =>
      check.outcome === 'fired'
        ? [{ ...check, findings: [...check.findings].sort((a, b) => rank(a) - rank(b)) }]
        : [],
    )
    .sort((a, b) => top(a) - top(b) || Number(b.gates) - Number(a.gates));
}

interface Way {
  readonly paint: Paint;
  /** What a check that gates is said to do. */
  readonly gate: string;
}

/** In so many lines; only what fired may take more, with one finding of each check. */
export function renderChecks(
  checks: readonly CheckResult[],
  { room, ...way }: Way & { readonly room: number },
): string[] {
  const of = (outcome: CheckResult['outcome']): CheckResult[] =>
    checks.filter((check) => check.outcome === outcome);
  const loud = gravestFirst(checks);
  const fired = (detail: Detail): string[] => loud.flatMap((check) => renderFired(check, way, detail));
  const unknown = together(of('unknown')).flatMap((check) => renderUnknown(check, way));
  const left = room - unknown.length;
  const fitting = DETAILS.find((detail) => fired(detail).length <= left - LEAST_OK);
  const found = fired(fitting ?? DETAILS[2]);
  return [...found, ...unknown, ...renderOk(of('ok'), left - found.length, way.paint)];
}

/** Checks that do not know for one reason are told at once, those that gate first: a proxy that strips signatures silences many. */
function together(checks: readonly CheckResult[]): CheckResult[] {
  const byReason = new Map<string, CheckResult[]>();
  for (const check of [...checks].sort((a, b) => Number(b.gates) - Number(a.gates))) {
    const reason = check.outcome === 'unknown' ? `${check.gates} ${check.reason}` : '';
    byReason.set(reason, [...(byReason.get(reason) ?? []), check]);
  }
  return [...byReason.values()].flatMap(([first, ...others]) => {
    if (first === undefined) return [];
    const ids = others.map(({ id }) => id);
    return [ids.length === 0 ? first : { ...first, title: `${first.title}, and ${ids.join(' ')}` }];
  });
}

/** Over as many lines as it takes, at most so many, under the word that it begins with. */
function hanging(text: string, most = MAX_SENTENCE): string[] {
  const all = wrapped(text, WIDTH - PAD - 1);
  const shown = all.length > most ? [...all.slice(0, most - 1), line(`${all[most - 1]} …`)] : all;
  return shown.map((part, index) => (index === 0 ? part : `${' '.repeat(PAD)}${part}`));
}

function renderUnknown(check: CheckResult, { paint, gate }: Way): string[] {
  if (check.outcome !== 'unknown') return [];
  const { id, title: about, gates, reason } = check;
  const [first = '', ...rest] = hanging(`${id}  ${about}${gates ? ` (${gate})` : ''}: ${reason}`);
  return [`${paint.yellow('unknown')}  ${first.replace(' ', '  ')}`, ...rest];
}

/** One line to each check while there is room; those that gate are not the ones left out. */
function renderOk(checks: readonly CheckResult[], room: number, paint: Paint): string[] {
  const word = paint.green('ok     ');
  const byGate = [...checks].sort((a, b) => Number(b.gates) - Number(a.gates));
  for (let shown = checks.length; ; shown--) {
    const own = new Set(byGate.slice(0, shown));
    const others = checks.filter((one) => !own.has(one)).map(({ id }) => id);
    const [first = '', ...rest] = hanging(`${others.join(' ')}: --full tells what each saw`, MAX_NAMES);
    const folded = others.length === 0 ? [] : [`${word}  ${first}`, ...rest];
    if (shown > 0 && shown + folded.length > room) continue;
    return [
      ...checks.flatMap((one) => (own.has(one) && one.outcome === 'ok' ? [okLine(one, word, paint)] : [])),
      ...folded,
    ];
  }
}

function okLine(
  { id, title: about, note }: CheckResult & { note: string },
  word: string,
  paint: Paint,
): string {
  const head = `${id}  ${about}: `;
  return `${word}  ${head}${paint.dim(line(note, Math.max(20, WIDTH - PAD - head.length)))}`;
}

function renderFired(check: Fired, { paint, gate }: Way, [most, pieces]: Detail): string[] {
  const { findings, id, title: about, gates } = check;
  const more = findings.length - most;
  return [
    `${paint.red('fired  ')}  ${id}  ${about}${gates ? paint.dim(` (${gate})`) : ''}`,
    ...findings
      .slice(0, most)
      .flatMap((one) => [
        ...hanging(`${one.severity}: ${one.message}`).map((part, at) =>
          at === 0 ? `${' '.repeat(PAD)}${part}` : part,
        ),
        ...one.evidence.slice(0, pieces).flatMap((item) => renderEvidence(item, paint)),
      ]),
    ...(more > 0 ? [`         and ${more} more (--json shows all)`] : []),
  ];
}

function renderEvidence(item: Evidence, paint: Paint): string[] {
  const pad = '           ';
  if (item.kind === 'change') {
    const [before, after] = apart(item.before, item.after, 90);
    return [
      `${pad}${line(item.at, 90)}`,
      `${pad}${paint.red(`- ${line(before, 90)}`)}`,
      `${pad}${paint.green(`+ ${line(after, 90)}`)}`,
    ];
  }
  if (item.kind === 'file') {
    const where = line(`${item.path}:${item.line}`, 60);
    return [`${pad}${where}  ${paint.dim(line(item.excerpt, WIDTH - pad.length - where.length - 2))}`];
  }
  const text = item.kind === 'text' ? item.excerpt : `${item.source}: ${item.value}`;
  return [`${pad}${paint.dim(line(text, WIDTH - pad.length))}`];
}
