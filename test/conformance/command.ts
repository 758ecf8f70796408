/** The suite as a command: every way to the server in every revision, one table or one object. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { table } from '../../cli/output.ts';
import type { Streams } from '../attack/command.ts';
import { clientWays, readAllUnplayed, takeClients } from './clients.ts';
import { type Hop, openFixture } from './hops.ts';
import { DIRECT, type Judged, judge, type Known, readBaseline, type Taken, type Unplayed } from './judge.ts';
import { REVISIONS, type Revision, runSuite } from './suite.ts';
import { ways } from './ways.ts';

/** A way to the server other than the direct one; `direct` is the address of the fixture by itself. */
export interface Way {
  readonly name: string;
  /** Those that it is about. Default: all. */
  readonly revisions?: readonly Revision[];
  open(direct: string): Promise<Hop>;
}

const USAGE =
  'npm run conformance [-- --json] [-- WORD…]: only the ways that begin with one of the words, and direct';

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
export async function runTable(words: readonly string[], { out, say }: Streams): Promise<number> {
  const json = words.includes('--json');
  const wanted = words.filter((word) => word !== '--json');
  const isWanted = ({ name }: { readonly name: string }): boolean =>
    wanted.length === 0 || wanted.some((word) => name.startsWith(word));
  const [chosen, clients] = [ways.filter(isWanted), clientWays.filter(isWanted)];
  if (chosen.length + clients.length === 0 || wanted.some((word) => word.startsWith('-'))) {
    say(USAGE);
    return 2;
  }
  const began = performance.now();
  const taken = [
    ...(chosen.length > 0 ? await takeAll(chosen, REVISIONS, say) : []),
    ...(clients.length > 0 ? await takeClients(clients, REVISIONS, say) : []),
  ];
  const judged = judge(taken, await baseline());
  const seconds = Math.round((performance.now() - began) / 100) / 10;
  const { ok, ...rest } = judged;
  const left = clients.length > 0 ? await readAllUnplayed() : [];
  out(
    json
      ? `${JSON.stringify({ conclusion: ok ? 'ok' : 'broken', seconds, ...rest, unplayed: left })}\n`
      : `${textOf(judged, { seconds, left })}\n`,
  );
  return ok ? 0 : 1;
}

interface Beside {
  readonly seconds: number;
  readonly left: readonly Unplayed[];
}

function textOf({ verdicts, stale, ok }: Judged, { seconds, left }: Beside): string {
  const rows = verdicts.map(({ way, revision, passed, failed, verdict, differences }) => [
    way,
    revision,
    `${passed}`,
    `${failed}`,
    `${differences.length}`,
    verdict,
  ]);
  const found = verdicts.flatMap(({ way, revision, differences }) =>
    differences.map(
      ({ check, direct, through, said, why }) =>
        `${way} ${revision} ${check}: ${direct} directly, ${through} here. ${why ?? said}`,
    ),
  );
  return [
    table(['WAY', 'REVISION', 'PASSED', 'FAILED', 'DIFFERENCES', 'VERDICT'], rows),
    '',
    ...found,
    ...left.map(({ scenario, why }) => `not played: ${scenario}. ${why}`),
    ...stale.map(({ way, revision, check }) => `stale in baseline.json: ${way} ${revision} ${check}`),
    ok ? `Nothing differs but what is explained (${seconds} s).` : `Something differs (${seconds} s).`,
  ].join('\n');
}
