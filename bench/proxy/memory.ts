/** What a gateway of its own holds while nobody calls, and what each idle session adds to it. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Pool } from 'undici';
import { begin, poolTo } from './callers.ts';
import { BUILT, Cases, startGateway } from './cases.ts';
import { residentOf } from './process.ts';
import type { World } from './world.ts';

/** A runtime collects in quiet times, and looks for one every ten seconds. */
const SETTLE_MS = 22_000;
const BUILD = join(import.meta.dirname, '../../scripts/build.ts');
const WIDTH = 32;

export interface Memory {
  /** MiB, resident, once it listens. */
  readonly idleMiB: number;
  /** KiB that each of so many open, greeted sessions adds. */
  readonly perSession: Readonly<Record<number, number>>;
}

export async function memory(
  world: World,
  counts: readonly number[],
  say: (line: string) => void,
): Promise<Memory> {
  say('building');
  execFileSync(process.execPath, [BUILD], { stdio: ['ignore', 'ignore', 'inherit'] });
  const cases = new Cases(world, BUILT);
  try {
    // The first start of all lays out what is locked.
    await startGateway(cases);
    await cases.close();
    const { pid, url } = await startGateway(cases);
    const pool = poolTo(url, WIDTH);
    const path = '/servers/here/mcp';
    await sleep(SETTLE_MS);
    const idleMiB = residentOf(pid) / 1024;
    // What the first sessions load and make for all of them is no session's.
    await open(pool, path, 100);
    await sleep(SETTLE_MS);
    const before = residentOf(pid);
    const perSession: Record<number, number> = {};
    let opened = 0;
    for (const count of counts) {
      say(`${count} idle sessions`);
      await open(pool, path, count - opened);
      opened = count;
      await sleep(SETTLE_MS);
      perSession[count] = (residentOf(pid) - before) / count;
    }
    await pool.destroy();
    return { idleMiB, perSession };
  } finally {
    await cases.close();
  }
}

async function open(pool: Pool, path: string, count: number): Promise<void> {
  let left = count;
  const worker = async (): Promise<void> => {
    while (left-- > 0) await begin(pool, path);
  };
  await Promise.all(Array.from({ length: WIDTH }, worker));
}
