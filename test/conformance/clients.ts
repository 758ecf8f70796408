/** The suite's client scenarios: a client of the SDK by itself, and the same one through the gateway. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openHost } from './host.ts';
import { CLIENT_DIRECT, readUnplayed, type Taken, type Unplayed } from './judge.ts';
import { PLAYS } from './play.ts';
import { REVISIONS, type Revision, runClient } from './suite.ts';

/** A way for the suite's client to reach the suite's server; `word` is what the host is told. */
export interface ClientWay {
  readonly name: string;
  readonly word: string;
}

export const clientWays: readonly ClientWay[] = [{ name: 'client by gateway', word: 'gateway' }];

const REQUIREMENTS = join(
  import.meta.dirname,
  '../../node_modules/@modelcontextprotocol/conformance/requirements',
);

/** Each scenario by name that is not played, and why. */
export async function readAllUnplayed(): Promise<readonly Unplayed[]> {
  return readUnplayed(await readFile(join(import.meta.dirname, 'unplayed.json'), 'utf8'));
}

export async function unplayed(revision: Revision): Promise<readonly Unplayed[]> {
  return (await readAllUnplayed()).filter(({ revisions }) => revisions.includes(revision));
}

/** What is to be played. Throws for a name in unplayed.json that nothing requires or that has a play. */
export async function playable(revision: Revision): Promise<string[]> {
  const all = await required(revision);
  const left = (await unplayed(revision)).map(({ scenario }) => scenario);
  const stale = left.filter((name) => !all.includes(name) || Object.hasOwn(PLAYS, name));
  if (stale.length > 0) throw new Error(`stale in unplayed.json for ${revision}: ${stale.join(', ')}`);
  return all.filter((scenario) => !left.includes(scenario));
}

/** What the suite has for clients of a revision: what it requires, and what it has beside that (extensions, newer ones). */
export async function required(revision: Revision): Promise<string[]> {
  const text = await readFile(join(REQUIREMENTS, `${revision}.yaml`), 'utf8');
  const [, section = ''] = /^client:\n((?: {2}- .+\n)+)/m.exec(text) ?? [];
  const listed = section.split('\n').flatMap((line) => line.slice(4).trim() || []);
  const beside = [...text.matchAll(/^ {2}- scenario: (\S+)\n {4}leg: client$/gm)].map(
    ([, name = '']) => name,
  );
  return [...listed, ...beside];
}

/** Runs every scenario that can pass a hop, by each way, side by side. Throws for one that nobody plays. */
export async function takeClients(
  chosen: readonly ClientWay[],
  revisions: readonly Revision[] = REVISIONS,
  say: (line: string) => void = () => undefined,
): Promise<Taken[]> {
  const all = [{ name: CLIENT_DIRECT, word: 'direct' }, ...chosen];
  const host = await openHost();
  const take = async ({ name, word }: ClientWay): Promise<Taken[]> => {
    const taken: Taken[] = [];
    for (const revision of revisions) {
      say(`${name}: ${revision}`);
      const scenarios = await playable(revision);
      taken.push({ way: name, revision, run: await runClient(host.commandOf(word), scenarios, revision) });
    }
    return taken;
  };
  try {
    return (await Promise.all(all.map(take))).flat();
  } finally {
    host.close();
  }
}
