/** What was measured, for people or as one object. */
import type { Quality } from './command.ts';
import type { Verdict } from './judged.ts';
import { type Gate, type Judged, type Row, shareOf } from './score.ts';

interface Measured {
  readonly quality: Quality;
  readonly rows: readonly Row[];
  readonly gates: readonly Gate[];
}

interface Asked {
  readonly json?: boolean | undefined;
  readonly misses?: boolean | undefined;
}

export function print(measured: Measured, { json, misses }: Asked): string {
  const { quality, rows, gates } = measured;
  if (json) return `${JSON.stringify({ ...summary(measured), misses: missesOf(quality) })}\n`;
  const attacks = rows.filter(({ malicious }) => malicious);
  const honest = rows.filter(({ malicious }) => !malicious);
  const parts = [
    table(
      ['attacks: source', 'scope', 'class', 'found', 'warned', 'blocked'],
      attacks.map((row) => [
        ...[row.source, row.scope, row.attackClass],
        ...[shareOf(row.fired, row.count), String(row.warned), String(row.blocked)],
      ]),
    ),
    table(
      ['honest: source', 'class', 'noted', 'warned', 'blocked'],
      honest.map((row) => [
        ...[row.source, row.attackClass, shareOf(row.fired, row.count)],
        ...[shareOf(row.warned, row.count), shareOf(row.blocked, row.count)],
      ]),
    ),
    table(['patches: kind', 'seen', 'class', 'text known'], patchRows(quality)),
    table(
      ['real differences', 'class', 'as an API', 'renamed', 'wrong'],
      quality.drifts.map(({ record, risk, step, renamed, wrong }) => [
        ...[record.name, risk ?? 'none', step, String(renamed), String(wrong.length)],
      ]),
    ),
    ...(misses ? [listed(quality)] : []),
    table(
      ['gate', 'held', 'found'],
      gates.map(({ name, held, found }) => [name, held === null ? 'not judged' : held ? 'yes' : 'NO', found]),
    ),
    speed(quality.times),
    ...Object.entries(quality.sets.others).map(
      ([source, count]) => `${source}: ${count} lines of another shape`,
    ),
  ];
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

function summary({ quality, rows, gates }: Measured): object {
  const { times } = quality;
  const drifts = quality.drifts.map(({ record: { name }, ...said }) => ({ name, ...said }));
  return {
    rows,
    patches: patchRows(quality),
    drifts,
    gates,
    msPerTool: { p50: at(times, 0.5), p95: at(times, 0.95) },
  };
}

function patchRows({ patches }: Quality): string[][] {
  return [...Map.groupBy(patches, ({ record }) => `${record.kind} (${record.label})`)]
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([kind, group]) => [
      kind,
      shareOf(group.filter(({ seen }) => seen).length, group.length),
      [...new Set(group.map(({ risk }) => risk ?? 'none'))].sort().join(' '),
      shareOf(group.filter(({ texts }) => texts.weight !== null).length, group.length),
    ]);
}

interface Miss {
  readonly what: 'missed' | 'false alarm';
  readonly source: string;
  readonly id: string;
  readonly scope: string;
  readonly attackClass: string;
  readonly tool: string;
  readonly said: readonly string[];
}

/** Every attack that nothing was said about, and everything that was said about honest tools. */
function missesOf({ judged }: Quality): Miss[] {
  return judged.filter(isWrong).map(({ record, verdict }) => ({
    what: record.malicious ? 'missed' : 'false alarm',
    ...{ source: record.source, id: record.id, scope: record.scope, attackClass: record.attackClass },
    tool: record.tool.name,
    said: wordsOf(verdict),
  }));
}

function isWrong({ record, verdict }: Judged): boolean {
  return record.malicious ? verdict.weight === null : verdict.weight !== null;
}

const wordsOf = ({ said }: Verdict): string[] =>
  said.map(({ weight, finding }) => `${weight} ${finding.check} ${finding.message}`);

function listed(quality: Quality): string {
  const rows = missesOf(quality).map(({ what, source, id, scope, attackClass, tool, said }) => {
    const [first = '', ...more] = said;
    return `${what}  ${source} ${id} ${scope} ${attackClass}  ${tool}  ${first.slice(0, 200)}${more.length > 0 ? ` (+${more.length})` : ''}`;
  });
  const unknown = quality.patches
    .filter(({ seen }) => !seen)
    .map(
      ({ record, risk }) => `missed  ${record.source} ${record.id} ${record.kind} ${risk ?? 'no difference'}`,
    );
  const wrong = quality.drifts.flatMap(({ record, wrong: all }) =>
    all.map((one) => `wrong  ${record.name}  ${one}`),
  );
  return [...rows, ...unknown, ...wrong].join('\n');
}

function speed(times: readonly number[]): string {
  if (times.length === 0) return '';
  return `milliseconds of one processor a tool, all checks of what a server shows: p50 ${at(times, 0.5).toFixed(2)}, p95 ${at(times, 0.95).toFixed(2)}, of ${times.length} tools`;
}

const at = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return '';
  const widths = head.map((word, i) => Math.max(word.length, ...rows.map((row) => row[i]?.length ?? 0)));
  return [head, ...rows]
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
