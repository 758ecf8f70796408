/** The suite's client scenarios: a client of the SDK by itself, and the same one through the gateway. One after the other. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CLIENT_DIRECT, type Taken } from './judge.ts';
import { PLAYS } from './play.ts';
import { REVISIONS, type Revision, runClient } from './suite.ts';

/** A way for the suite's client to reach the suite's server; `word` is what the player is told. */
export interface ClientWay {
  readonly name: string;
  readonly word: string;
}

export const clientWays: readonly ClientWay[] = [{ name: 'client by gateway', word: 'gateway' }];

const PLAYER = join(import.meta.dirname, 'player.ts');
const REQUIREMENTS = join(
  import.meta.dirname,
  '../../node_modules/@modelcontextprotocol/conformance/requirements',
);

/** Beside what a revision requires: extensions that the gateway has, and what came after the revision was frozen. */
const ALSO: Readonly<Record<Revision, readonly string[]>> = {
  '2025-11-25': [
    'json-schema-2020-12-preservation',
    'auth/client-credentials-basic',
    'auth/client-credentials-jwt',
  ],
  '2026-07-28': ['json-schema-2020-12-preservation'],
};

/**
 * Scenarios that cannot pass a hop that is a resource server of its own: a token is for the address that the client sees,
 * which is the gateway's, and the suite's server is asked with the gateway's own credentials. What a client does there is
 * proved by test/oauth.test.ts, with the gateway as the resource.
 */
export const isOfTheHop = (scenario: string): boolean =>
  scenario.startsWith('auth/') && !Object.hasOwn(PLAYS, scenario);

/** What a revision requires of clients, as the suite's own frozen list has it. */
export async function required(revision: Revision): Promise<string[]> {
  const text = await readFile(join(REQUIREMENTS, `${revision}.yaml`), 'utf8');
  const [, section = ''] = /^client:\n((?: {2}- .+\n)+)/m.exec(text) ?? [];
  const listed = section.split('\n').flatMap((line) => line.slice(4).trim() || []);
  return [...listed, ...ALSO[revision]];
}

/** Runs every scenario that can pass a hop, by each way. Throws for one that nobody plays. */
export async function takeClients(
  chosen: readonly ClientWay[],
  revisions: readonly Revision[] = REVISIONS,
  say: (line: string) => void = () => undefined,
): Promise<Taken[]> {
  const taken: Taken[] = [];
  for (const { name, word } of [{ name: CLIENT_DIRECT, word: 'direct' }, ...chosen]) {
    for (const revision of revisions) {
      say(`${name}: ${revision}`);
      const scenarios = (await required(revision)).filter((scenario) => !isOfTheHop(scenario));
      taken.push({ way: name, revision, run: await runClient(commandOf(word), scenarios, revision) });
    }
  }
  return taken;
}

/** The client that the suite starts; it adds the address. */
export function commandOf(word: string): string {
  return `"${process.execPath}" --disable-warning=ExperimentalWarning "${PLAYER}" ${word}`;
}
