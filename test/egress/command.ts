/** The table of egress: every row, in namespaces made for it. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { table } from '../../cli/output.ts';
import { egressRows } from './all.ts';
import type { EgressVerdict, Row } from './row.ts';

export interface EgressJudged {
  readonly verdicts: readonly EgressVerdict[];
  /** Why nothing that is held counts; null when what is permitted goes out, before and after. */
  readonly shut: string | null;
}

/** Most rows wait for a refusal or for silence: so many worlds wait at the same time. */
const WORLDS = 3;

/** Runs the rows as if this were another machine. Throws what it printed when it could not. */
export async function judgeEgress(
  chosen: readonly Row[],
  say: (line: string) => void,
): Promise<EgressJudged> {
  if (chosen.length > 0) say(`egress: ${chosen.length} rows`);
  const shares = Array.from({ length: WORLDS }, (_, world) =>
    chosen.filter((_, at) => at % WORLDS === world),
  );
  const told = await Promise.all(shares.filter(({ length }) => length > 0).map(inOneWorld));
  const verdicts = new Map(told.flatMap((one) => one.verdicts).map((one) => [one.row, one]));
  return {
    verdicts: chosen.flatMap(({ id }) => verdicts.get(id) ?? []),
    shut: told.find(({ shut }) => shut !== null)?.shut ?? null,
  };
}

async function inOneWorld(chosen: readonly Row[]): Promise<EgressJudged> {
  const root = process.getuid?.() === 0;
  const numbers = chosen.map((row) => String(egressRows.indexOf(row)));
  const words = [
    ...(root ? [] : ['--map-root-user']),
    ...['--net', '--mount', process.execPath, '--disable-warning=ExperimentalWarning'],
    ...[join(import.meta.dirname, 'stage.ts'), root ? 'root' : 'user', ...numbers],
  ];
  const child = spawn('unshare', words, { stdio: ['ignore', 'pipe', 'pipe'] });
  const [out, errors] = await Promise.all([child.stdout, child.stderr].map((stream) => stream.toArray()));
  const text = Buffer.concat(out as Buffer[]).toString();
  if (text === '')
    throw new Error(
      Buffer.concat(errors as Buffer[])
        .toString()
        .slice(-2000) || 'no word',
    );
  return JSON.parse(text) as EgressJudged;
}

const WIDTH = 52;
const cut = (text: string): string => (text.length > WIDTH ? `${text.slice(0, WIDTH - 1)}…` : text);

export function egressTable(verdicts: readonly EgressVerdict[]): string {
  return table(
    ['EGRESS', 'ATTACK', 'REFUSED', 'CODE', 'WITHOUT', 'HERE'],
    verdicts.map(({ row, attack, refuses, code, control, verdict, seen }) => [
      row,
      cut(attack),
      refuses,
      code,
      cut(control),
      `${verdict}: ${cut(seen)}`,
    ]),
  );
}

/** What is not held, and the count. */
export function egressClosing({ verdicts, shut }: EgressJudged): string {
  const count = (word: EgressVerdict['verdict']): number =>
    verdicts.filter(({ verdict }) => verdict === word).length;
  const open = verdicts.filter(({ verdict }) => verdict !== 'held');
  return [
    '',
    ...open.map(({ row, verdict, why }) => `${verdict}: ${row}: ${why}`),
    ...(shut === null ? [] : [`BROKEN: ${shut}`]),
    `Egress: ${count('held')} held, ${count('explained')} explained, ${count('BROKEN')} broken.`,
  ].join('\n');
}
