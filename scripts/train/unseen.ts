/** What the second opinion makes of what it never saw: each source of attacks left out in turn, and a fifth of the real servers. */

import type { ToolRecord } from '../../bench/quality/records.ts';
import { isReal } from '../../bench/quality/score.ts';
import { tellsFrom } from '../../scanner/reading/opinion.ts';
import { scoreOf, type Trained, train, windowsOfMade, windowsOfTools } from './model.ts';

const FOLDS = 5;

/** One line for each source of attacks, and one for the real servers of each set. The opinion alone, without any rule. */
export function unseen(tools: readonly ToolRecord[]): string {
  const attacks = tools.filter(({ malicious, scope }) => malicious && scope === 'tool');
  const honest = tools.filter(({ malicious }) => !malicious);
  const lines = [...Map.groupBy(attacks, ({ source }) => source)].map(([source, own]) => {
    const others = (records: readonly ToolRecord[]): ToolRecord[] =>
      records.filter((record) => record.source !== source);
    return `${source}: ${share(own, trainedOn(others(attacks), others(honest)))} of its attacks, never having seen it`;
  });
  const none = trainedOn([], honest);
  for (const [source, own] of Map.groupBy(attacks, (record) => record.source))
    lines.push(`${source}: ${share(own, none)} of its attacks, by templates alone`);
  const servers = [...new Set(honest.filter(isReal).map(serverOf))].sort();
  const told = new Map<string, [told: number, all: number]>();
  for (let fold = 0; fold < FOLDS; fold++) {
    const out = new Set(servers.filter((_, index) => index % FOLDS === fold));
    const model = trainedOn(
      attacks,
      honest.filter((record) => !out.has(serverOf(record))),
    );
    for (const record of honest.filter((one) => isReal(one) && out.has(serverOf(one)))) {
      const [wrong, all] = told.get(record.source) ?? [0, 0];
      told.set(record.source, [wrong + (tells(record, model) ? 1 : 0), all + 1]);
    }
  }
  for (const [source, [wrong, all]] of told)
    lines.push(`${source}: ${percent(wrong, all)} of the real tools, never having seen their server`);
  return lines.join('\n');
}

const serverOf = ({ source, server }: ToolRecord): string => `${source} ${server}`;

function trainedOn(attacks: readonly ToolRecord[], honest: readonly ToolRecord[]): Trained {
  const made = windowsOfMade();
  return train([...made.attacks, ...windowsOfTools(attacks)], [...made.honest, ...windowsOfTools(honest)]);
}

function tells(record: ToolRecord, model: Trained): boolean {
  const windows = windowsOfTools([record]).flat();
  return windows.some((window) => scoreOf(window, model) >= tellsFrom(windows.length));
}

function share(records: readonly ToolRecord[], model: Trained): string {
  return percent(records.filter((record) => tells(record, model)).length, records.length);
}

const percent = (part: number, all: number): string =>
  `${part}/${all} = ${((100 * part) / all).toFixed(1)} %`;
