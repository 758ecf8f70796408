/** The suite as a command: every way to the server in every revision, one table or one object. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { table } from '../../cli/output.ts';
import { asked, counting, type Streams } from '../helpers/show.ts';
import { type ClientWay, clientWays, readAllUnplayed, takeClients } from './clients.ts';
import { type Hop, openFixture } from './hops.ts';
import { DIRECT, type Judged, judge, type Known, readBaseline, type Taken, type Unplayed } from './judge.ts';
import { REVISIONS, type Revision, runSuite } from './suite.ts';
import { takeTasks, taskWays } from './tasks.ts';
import { ways } from './ways.ts';

/** A way to the server other than the direct one; `direct` is the address of the fixture by itself. */
export interface Way {
  readonly name: string;
  /** Those that it is about. Default: all. */
  readonly revisions?: readonly Revision[];
  open(direct: string): Promise<Hop>;
}

const nothing: Way['open'] = async (url) => ({ url, close: async () => undefined });

/** Runs the suite directly and by each way. Whatever does not come to an end is thrown, not left out. */
export async function takeAll(
  chosen: readonly Way[],
  revisions: readonly Revision[],
  say: (line: string) => void,
): Promise<Taken[]> {
  const fixture = await openFixture();
  try {
    const taken: Taken[] = [];
    const all: readonly Way[] = [{ name: DIRECT, open: nothing }, ...chosen];
    for (const way of all) {
      const hop = await way.open(fixture.url);
      try {
        for (const revision of revisions.filter((one) => way.revisions?.includes(one) ?? true)) {
          say(`${way.name}: ${revision}`);
          taken.push({ way: way.name, revision, run: await runSuite(hop.url, revision) });
        }
      } finally {
        await hop.close();
      }
    }
    return taken;
  } finally {
    await fixture.close();
  }
}

/** The differences that are known today. */
export async function baseline(): Promise<readonly Known[]> {
  return readBaseline(await readFile(join(import.meta.dirname, 'baseline.json'), 'utf8'));
}

/** Returns the exit code: 0 if nothing differs but what is explained, 1 if something does, 2 for unknown words. */
export async function runTable(words: readonly string[], streams: Streams): Promise<number> {
  const names = [...ways, ...taskWays, ...clientWays].map(({ name }) => name);
  const want = asked(words, { name: 'conformance', of: 'the ways to a server', names }, streams);
  if (typeof want === 'number') return want;
  const { json } = want;
  const { out, say } = streams;
  const chosen = ways.filter(({ name }) => want.isWanted(name));
  const clients = clientWays.filter(({ name }) => want.isWanted(name));
  const tasks = taskWays.filter(({ name }) => want.isWanted(name));
  const began = performance.now();
  const tell = counting(say, runsOf(chosen) + runsOf(clients) + (tasks.length > 0 ? tasks.length + 1 : 0));
  const taken = [
    ...(chosen.length > 0 ? await takeAll(chosen, REVISIONS, tell) : []),
    ...(tasks.length > 0 ? await takeTasks(tasks, tell) : []),
    ...(clients.length > 0 ? await takeClients(clients, REVISIONS, tell) : []),
  ];
  const judged = judge(taken, await baseline());
  const seconds = Math.round((performance.now() - began) / 100) / 10;
  const { ok, ...rest } = judged;
  const left = clients.length > 0 ? await readAllUnplayed() : [];
  out(
    json
      ? `${JSON.stringify({ conclusion: ok ? 'ok' : 'broken', seconds, ...rest, unplayed: left })}\n`
      : `${textOf(judged, { seconds, left, taken })}\n`,
  );
  return ok ? 0 : 1;
}

interface Beside {
  readonly seconds: number;
  readonly left: readonly Unplayed[];
  readonly taken: readonly Taken[];
}

/** What fails with the server by itself though it conforms: what the revision does not require. */
function failingAlone({ way, revision, run }: Taken): string[] {
  const failing = run.checks.filter(({ status }) => status === 'FAILURE');
  if (failing.length === 0 || !run.conforms) return [];
  const by = [...Map.groupBy(failing, ({ scenario }) => scenario)];
  const counts = by.map(([scenario, all]) => `${scenario} (${all.length})`).join(', ');
  return [
    `${way} ${revision}: the ${failing.length} that fail, fail with the server by itself, of what the revision does not require: ${counts}`,
  ];
}

/** Runs of the suite: each way in each of its revisions, and the direct one that they are held against. */
function runsOf(all: readonly (Way | ClientWay)[]): number {
  const each = all.map((way) => ('revisions' in way && way.revisions ? way.revisions : REVISIONS).length);
  return all.length === 0 ? 0 : each.reduce((sum, count) => sum + count, REVISIONS.length);
}

function textOf({ verdicts, stale, ok }: Judged, { seconds, left, taken }: Beside): string {
  const rows = verdicts.map(({ way, revision, passed, failed, verdict, differences }) => [
    way,
    revision,
    `${passed}`,
    `${failed}`,
    `${differences.length}`,
    verdict,
  ]);
  const found = verdicts.flatMap(({ way, revision, differences }) =>
    [...Map.groupBy(differences, ({ why }) => why)].flatMap(([why, same]) => [
      `${way} ${revision}: ${why ?? 'NOT EXPLAINED.'}`,
      ...same.map(
        ({ check, direct, through, said }) =>
          `  ${check}: ${direct} directly, ${through} here${why === undefined && said ? `: ${said}` : ''}`,
      ),
    ]),
  );
  const unplayed = [...Map.groupBy(left, ({ why }) => why)].flatMap(([why, same]) => [
    `not played: ${why}`,
    ...same.map(({ scenario }) => `  ${scenario}`),
  ]);
  return [
    table(['WAY', 'REVISION', 'PASSED', 'FAILED', 'DIFFERENCES', 'VERDICT'], rows),
    '',
    ...found,
    ...unplayed,
    ...stale.map(({ way, revision, check }) => `stale in baseline.json: ${way} ${revision} ${check}`),
    ...taken.filter(({ way }) => way === DIRECT).flatMap(failingAlone),
    ok ? `Nothing differs but what is explained (${seconds} s).` : `Something differs (${seconds} s).`,
  ].join('\n');
}
