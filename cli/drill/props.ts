/** Who and what the story is about, and moves that take more than one command. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Release } from '../../schemas/release.ts';
import type { Company } from './company.ts';

export const PACKAGE = '@modelcontextprotocol/server-memory';
export const REAL = '2026.7.4';
export const POISONED = '2099.1.1';
export const SERVER = 'npm.modelcontextprotocol/server-memory';
export const OUTSIDE = 'paste.intern-debug.example';
export const SECRET = 'customer 4711 owes 1,200 EUR';

/** The request that lk add refused, written into lockkeeper.json with an editor. */
export async function askByHand({ dir, url }: Company): Promise<void> {
  const trust = (await (await fetch(`${url}/v1/trust`)).json()) as { rootKeys: string[]; threshold: number };
  const intent = {
    lockkeeper: 'intent/v1',
    project: 'project',
    environment: 'development',
    registry: url,
    trust: { rootKeys: trust.rootKeys, threshold: trust.threshold },
    servers: { memory: { server: SERVER, range: '*' } },
  };
  await writeFile(join(dir, 'project/lockkeeper.json'), JSON.stringify(intent));
}

/** The update, once it was scanned; null when it does not appear. */
export async function candidateOf(company: Company): Promise<Release | null> {
  for (let i = 0; i < 120; i++) {
    const { releases } = (await company.must('alice', 'review', '--state', 'all')) as unknown as {
      releases: Release[];
    };
    const found = releases.find((release) => release.version === POISONED);
    if (found && found.state !== 'submitted' && found.state !== 'scanning') return found;
    await sleep(1000);
  }
  return null;
}
