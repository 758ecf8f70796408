/** Rates and gates. Every source, scope and class stands apart: one pooled figure would hide the worst of them. */

import type { DriftVerdict } from './drift.ts';
import type { Verdict } from './judged.ts';
import type { PatchVerdict } from './patches.ts';
import type { ToolRecord } from './records.ts';

export interface Judged {
  readonly record: ToolRecord;
  readonly verdict: Verdict;
}

export interface Row {
  readonly source: string;
  readonly scope: string;
  readonly attackClass: string;
  readonly malicious: boolean;
  readonly count: number;
  /** At least one finding, of whatever severity. */
  readonly fired: number;
  readonly warned: number;
  readonly blocked: number;
}

export interface Gate {
  readonly name: string;
  /** null: there was nothing to judge it by. */
  readonly held: boolean | null;
  readonly found: string;
}

/** What holds the gates: published in the README, never tuned to a run. */
const LEAST_RECALL = 0.92;
const MOST_BLOCKED_TOOLS = 0.005;
const MOST_BLOCKED_SERVERS = 0.05;
const MOST_WARNED_TOOLS = 0.02;
/** Classes of texts that nobody sees, however a set calls them. */
const HIDDEN = /unicode|invisible|zero.?width|bidi|homoglyph/i;

export function rowsOf(judged: readonly Judged[]): Row[] {
  const groups = Map.groupBy(judged, ({ record }) =>
    [record.source, record.malicious, record.scope, record.attackClass].join('\u0000'),
  );
  const rows = [...groups.values()].flatMap((group) => {
    const [one] = group;
    if (!one) return [];
    const { source, scope, attackClass, malicious } = one.record;
    return [{ source, scope, attackClass, malicious, ...countsOf(group) }];
  });
  return rows.sort((a, b) => order(a).localeCompare(order(b)));
}

const order = ({ source, malicious, scope, attackClass }: Row): string =>
  [source, malicious ? 0 : 1, scope, attackClass].join(' ');

export function countsOf(group: readonly Judged[]): Pick<Row, 'count' | 'fired' | 'warned' | 'blocked'> {
  const of = (...weights: string[]): number =>
    group.filter(({ verdict }) => verdict.weight !== null && weights.includes(verdict.weight)).length;
  return {
    count: group.length,
    fired: of('note', 'warn', 'block'),
    warned: of('warn', 'block'),
    blocked: of('block'),
  };
}

/** Tools of servers that people really use: sets of that kind say so in the name of their file. */
export function isReal({ source, malicious }: ToolRecord): boolean {
  return !malicious && source.startsWith('benign-');
}

interface Measures {
  readonly judged: readonly Judged[];
  readonly patches: readonly PatchVerdict[];
  readonly drifts: readonly DriftVerdict[];
}

export function gatesOf({ judged, patches, drifts }: Measures): Gate[] {
  const attacks = judged.filter(({ record }) => record.malicious && record.scope === 'tool');
  const real = judged.filter(({ record }) => isReal(record));
  const hidden = attacks.filter(({ record }) => HIDDEN.test(record.attackClass));
  const disguised = patches.filter(({ record }) => HIDDEN.test(record.kind));
  return [
    ...bySource(attacks, 'recall, scope tool', (group) => {
      const { fired, count } = countsOf(group);
      return least(fired, count, LEAST_RECALL);
    }),
    ...bySource(real, 'real tools blocked', (group) => {
      const { blocked, count } = countsOf(group);
      return most(blocked, count, MOST_BLOCKED_TOOLS);
    }),
    ...bySource(real, 'real servers blocked', (group) => {
      const servers = Map.groupBy(group, ({ record }) => record.server ?? record.id);
      const blocked = [...servers.values()].filter((tools) => countsOf(tools).blocked > 0);
      return most(blocked.length, servers.size, MOST_BLOCKED_SERVERS);
    }),
    ...bySource(real, 'real tools warned about', (group) => {
      const { warned, count } = countsOf(group);
      return most(warned, count, MOST_WARNED_TOOLS);
    }),
    patchGate(patches, 'patches seen', ({ seen }) => seen),
    ...(drifts.length === 0
      ? []
      : [
          {
            name: 'real differences classed right',
            ...least(drifts.filter(({ wrong }) => wrong.length === 0).length, drifts.length, 1),
          },
        ]),
    ...(hidden.length === 0 ? [] : bySource(hidden, 'hidden text', allFound)),
    ...(disguised.length === 0
      ? []
      : [
          patchGate(disguised, 'patches with hidden text known', ({ texts }) =>
            texts.said.some(({ finding }) => finding.check === 'LK-TXT-01'),
          ),
        ]),
  ];
}

const allFound = (group: readonly Judged[]): Outcome => least(countsOf(group).fired, group.length, 1);

type Outcome = Pick<Gate, 'held' | 'found'>;

function bySource(
  judged: readonly Judged[],
  name: string,
  outcome: (group: readonly Judged[]) => Outcome,
): Gate[] {
  const groups = Map.groupBy(judged, ({ record }) => record.source);
  if (groups.size === 0) return [{ name, held: null, found: 'no record to judge it by' }];
  return [...groups].map(([source, group]) => ({ name: `${name}: ${source}`, ...outcome(group) }));
}

function patchGate(
  patches: readonly PatchVerdict[],
  name: string,
  good: (patch: PatchVerdict) => boolean,
): Gate {
  if (patches.length === 0) return { name, held: null, found: 'no patch to judge it by' };
  return { name, ...least(patches.filter(good).length, patches.length, 1) };
}

function least(count: number, all: number, rate: number): Outcome {
  return { held: count >= rate * all, found: `${shareOf(count, all)}, at least ${percent(rate)}` };
}

function most(count: number, all: number, rate: number): Outcome {
  return { held: count <= rate * all, found: `${shareOf(count, all)}, at most ${percent(rate)}` };
}

export function shareOf(count: number, all: number): string {
  return `${count}/${all} = ${percent(all === 0 ? 0 : count / all)}`;
}

function percent(rate: number): string {
  return `${(rate * 100).toFixed(1)} %`;
}
