/** Known incidents as a command: each replayed and inert, and what stops it; one table or one object. */
import { table } from '../../cli/output.ts';
import { asked, counting, type Streams } from '../helpers/show.ts';
import { type Control, controls, OUT_OF_REACH, tryControl } from './controls.ts';
import { type Outcome, openReplays } from './replay.ts';
import { type Incident, incidents } from './rows.ts';

/** Returns the exit code: 0 if each row is stopped or says why not, 1 if one is not, 2 for words it does not know. */
export async function runIncidents(words: readonly string[], streams: Streams): Promise<number> {
  const names = [
    ...incidents.map(({ id }) => id),
    ...Object.keys(OUT_OF_REACH),
    ...controls.map(({ id }) => id),
  ];
  const want = asked(words, { name: 'incidents', of: 'the rows', names }, streams);
  if (typeof want === 'number') return want;
  const { out, say } = streams;
  const replayed = incidents.filter(({ id }) => want.isWanted(id));
  const tried = controls.filter(({ id }) => want.isWanted(id));
  const began = performance.now();
  const outcomes = await outcomesOf(replayed, tried, counting(say, replayed.length + tried.length));
  const seconds = Math.round((performance.now() - began) / 100) / 10;
  const stopped = outcomes.filter(({ lockable }) => !lockable).length;
  const broken = outcomes.filter(({ silent, lockable }) => silent.length > 0 || lockable).length;
  const conclusion = broken === 0 ? 'ok' : 'broken';
  const replays = outcomes.length;
  const beyond = Object.entries(OUT_OF_REACH).filter(([id]) => want.isWanted(id));
  out(
    want.json
      ? `${JSON.stringify({ conclusion, seconds, replays, stopped, incidents: outcomes, outOfReach: Object.fromEntries(beyond) })}\n`
      : `${tableOf(outcomes, beyond)}\n${stopped} of ${replays} replays stopped (${seconds} s)\n`,
  );
  return broken === 0 ? 0 : 1;
}

async function outcomesOf(
  replayed: readonly Incident[],
  tried: readonly Control[],
  tell: (line: string) => void,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  if (replayed.length > 0) {
    const replays = await openReplays();
    try {
      for (const incident of replayed) {
        tell(`${incident.id} ${incident.what}`);
        outcomes.push(await replays.replay(incident));
      }
    } finally {
      await replays.close();
    }
  }
  for (const control of tried) {
    const { id, what, by } = control;
    tell(`${id} ${what}`);
    const { said, wrong } = await tryControl(control);
    const silent = wrong === null ? [] : [wrong];
    outcomes.push({
      id,
      what,
      stoppedBy: [`${by} (${said})`],
      advised: [],
      silent,
      lockable: wrong !== null,
    });
  }
  const numberOf = (id: string): number => Number.parseInt(id, 10);
  return outcomes.sort((a, b) => numberOf(a.id) - numberOf(b.id) || (a.id < b.id ? -1 : 1));
}

function tableOf(outcomes: readonly Outcome[], beyond: readonly (readonly [string, string])[]): string {
  const rows = outcomes.map(({ id, what, stoppedBy, advised, silent, lockable }) => [
    id,
    what,
    stoppedBy.join(' ') || '-',
    advised.join(' ') || '-',
    silent.join(' ') || '-',
    lockable ? 'yes' : 'no',
  ]);
  const outside = beyond.map(([id, why]) => `Row ${id} is out of reach: ${why}.`);
  const heads = ['ROW', 'INCIDENT', 'STOPPED BY', 'ADVISED BY', 'SILENT', 'GOES THROUGH'];
  return [table(heads, rows), '', ...outside].join('\n');
}
