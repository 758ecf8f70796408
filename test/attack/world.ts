/** What the rows stand on: a folder that goes away, and a PostgreSQL of their own where they need one. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestServer } from '../setup/postgres.ts';

export interface World {
  /** Goes away with everything in it. */
  readonly dir: string;
  /** A new empty folder. */
  folder(): Promise<string>;
  /** A PostgreSQL whose superuser the attacker may be. */
  readonly database: TestServer;
  /** Run before the world ends, latest first. */
  atEnd(work: () => Promise<unknown>): void;
}

export async function openWorld(database: TestServer): Promise<{ world: World; close: () => Promise<void> }> {
  const dir = await mkdtemp(join(tmpdir(), 'lk-attack-'));
  const ends: (() => Promise<unknown>)[] = [];
  let count = 0;
  const world: World = {
    dir,
    database,
    folder: async () => mkdtemp(join(dir, `${count++}-`)),
    atEnd: (work) => void ends.push(work),
  };
  const close = async (): Promise<void> => {
    for (const end of ends.reverse()) await end();
    await rm(dir, { recursive: true, force: true });
  };
  return { world, close };
}
