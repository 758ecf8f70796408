/**
 * What the checks of tool text make of what no weight saw: each source of attacks left out in turn, and a fifth of the real
 * servers in turn. Rules and phrases are the same in each turn, as nobody fits them to a source by training.
 */
import { serversOf, type Verdict, verdictOfTool, verdictsOfServer } from '../../bench/quality/judged.ts';
import type { ToolRecord } from '../../bench/quality/records.ts';
import { isReal } from '../../bench/quality/score.ts';
import type { SurfaceCheck } from '../../scanner/checks/check.ts';
import { surfaceChecks } from '../../scanner/checks/index.ts';
import { suspicion, suspicionBy } from '../../scanner/checks/suspicion.ts';
import type { Weights } from '../../scanner/reading/opinion.ts';
import { train, windowsOfMade, windowsOfTools } from './model.ts';

const FOLDS = 5;

type Checks = readonly SurfaceCheck[];
const wholeBy = (by: Weights): Checks =>
  surfaceChecks.map((check) => (check === suspicion ? suspicionBy(by) : check));

/** Tables in Markdown: the whole engine, the cues and the opinion alone, and the templates alone. */
export async function unseen(tools: readonly ToolRecord[]): Promise<string> {
  const attacks = tools.filter(({ malicious, scope }) => malicious && scope === 'tool');
  const honest = tools.filter(({ malicious }) => !malicious);
  const made = windowsOfMade();
  const trainedOn = (some: readonly ToolRecord[], others: readonly ToolRecord[]): Weights =>
    train([...made.attacks, ...windowsOfTools(some)], [...made.honest, ...windowsOfTools(others)]);
  const rows: string[][] = [];
  const none = trainedOn([], honest);
  for (const [source, own] of Map.groupBy(attacks, (record) => record.source)) {
    const others = (records: readonly ToolRecord[]): ToolRecord[] =>
      records.filter((record) => record.source !== source);
    const by = trainedOn(others(attacks), others(honest));
    const hard = honest.filter((record) => record.source === source);
    rows.push([
      source,
      await warned(own, wholeBy(by)),
      await warned(own, [suspicionBy(by)]),
      await warned(own, [suspicionBy(none)]),
      await warned(hard, wholeBy(by)),
    ]);
  }
  const head = ['source left out', 'whole engine', 'LK-TXT-03 alone', 'templates alone', 'its honest tools'];
  const folds = await honestFolds(honest, (kept) => trainedOn(attacks, kept));
  return [
    table(head, rows),
    table(['real tools, their servers left out', 'warned about', 'blocked'], folds),
  ].join('\n\n');
}

/** Each real server judged by weights that saw nothing of it. */
async function honestFolds(
  honest: readonly ToolRecord[],
  trained: (kept: readonly ToolRecord[]) => Weights,
): Promise<string[][]> {
  const real = honest.filter(isReal);
  const servers = [...new Set(real.map(({ server }) => server))].sort();
  const verdicts: (readonly [ToolRecord, Verdict])[] = [];
  for (let fold = 0; fold < FOLDS; fold++) {
    const out = new Set(servers.filter((_, index) => index % FOLDS === fold));
    const checks = wholeBy(trained(honest.filter(({ server }) => !out.has(server))));
    for (const group of serversOf(real.filter(({ server }) => out.has(server))))
      verdicts.push(...(await verdictsOfServer(group, checks)));
  }
  return [...Map.groupBy(verdicts, ([{ source }]) => source)].map(([source, group]) => {
    const of = (...weights: string[]): string =>
      percent(group.filter(([, { weight }]) => weights.includes(weight ?? '')).length, group.length);
    return [source, of('warn', 'block'), of('block')];
  });
}

/** Share of records that a person is warned about, or that are blocked. */
async function warned(records: readonly ToolRecord[], checks: Checks): Promise<string> {
  let told = 0;
  for (const record of records) {
    const { weight } = await verdictOfTool(record, checks);
    if (weight === 'warn' || weight === 'block') told++;
  }
  return percent(told, records.length);
}

const percent = (part: number, all: number): string =>
  `${part}/${all} = ${((100 * part) / Math.max(all, 1)).toFixed(1)} %`;

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
