/** Time and memory as victim: as many entries and revocations as a file can hold, measured. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Code, LockkeeperError } from '../../schemas/errors.ts';
import { type Lock, renderLockFile } from '../../schemas/lock.ts';
import { type LockParts, makeLock, pin } from '../helpers/trust.ts';
import { filesIn } from './machine.ts';
import { must, type Row, type Scenario } from './row.ts';
import type { Cost } from './size-reader.ts';
import type { World } from './world.ts';

const MANY = 100_000;
/** What a lock file may have, and a little less than that. */
const FULL_BYTES = 62 << 20;

interface Bounds {
  /** Of the processor. */
  readonly seconds: number;
  /** At the most, beyond what the program and the bytes of the file take. */
  readonly mebibytes: number;
}

const READER = join(import.meta.dirname, 'size-reader.ts');

/** A lock on a machine in a process of its own. Throws its refusal. */
async function read(world: World, at: { lock: string; home: string }): Promise<Cost> {
  const child = fork(READER, [at.lock, at.home, JSON.stringify(pin)], {
    execArgv: ['--disable-warning=ExperimentalWarning'],
    env: { NODE_COMPILE_CACHE: join(world.dir, 'compiled'), ...process.env },
  });
  const ended = once(child, 'exit');
  const [cost] = (await Promise.race([once(child, 'message'), ended])) as [Cost];
  await ended;
  must(typeof cost === 'object', 'the process did not survive it');
  return cost;
}

/** The same machine takes a lock of one entry, and then meets this one; refused within its bounds. */
async function measured(world: World, bytes: Buffer, bounds: Bounds): Promise<Scenario> {
  const [dir, honestHome, home] = [await world.folder(), await world.folder(), await world.folder()];
  const [honest, lock] = [join(dir, 'honest'), join(dir, 'lock')];
  await writeFile(honest, renderLockFile(makeLock()));
  await writeFile(lock, bytes);
  let cost: Cost | null = null;
  return {
    control: async () => {
      const { code, started } = await read(world, { lock: honest, home: honestHome });
      must(code === null && started === 1, `${code}, ${started} started`);
    },
    attack: async () => {
      cost = await read(world, { lock, home });
      const { code, started, ...detail } = cost;
      must(started === 0, 'something was started');
      if (code !== null) throw new LockkeeperError(code as Code, detail);
    },
    state: () => JSON.stringify(filesIn(join(home, 'home', 'seen'))),
    after: async () => {
      await rm(dir, { recursive: true });
      const { seconds = 0, mebibytes = 0 } = cost ?? {};
      const found = `${bytes.length >> 20} MiB of lock took ${seconds.toFixed(1)} s and ${mebibytes} MiB more`;
      must(seconds <= bounds.seconds && mebibytes <= bounds.mebibytes, `too much: ${found}`);
      return found;
    },
  };
}

function signedLock(more: (lock: Lock) => void): Buffer {
  const evidence: LockParts['evidence'] = (log, entries) => log.evidence(entries.slice(0, 4));
  return Buffer.from(renderLockFile(makeLock({ lock: more, evidence })));
}

/** The text of a lock whose one entry is there so many times, each under an alias of its own. */
function repeated(count: number): Buffer {
  const text = renderLockFile(makeLock());
  const begin = text.indexOf('      "weather": {');
  const end = text.indexOf('\n      }', begin) + '\n      }'.length;
  const entry = text.slice(begin, end).replace('"weather"', '');
  const entries = Array.from({ length: count }, (_, n) =>
    Buffer.from(`      "w${n}"${entry.trimStart()},\n`),
  );
  return Buffer.concat([Buffer.from(text.slice(0, begin)), ...entries, Buffer.from(text.slice(begin))]);
}

/** The one approved release under so many aliases. */
const aliases =
  (count: number) =>
  (lock: Lock): void => {
    const entry = lock.servers.weather;
    if (!entry) throw new Error('no entry');
    for (let n = 1; n < count; n++) lock.servers[`w${n}`] = entry;
  };

const revoked =
  (count: number) =>
  (lock: Lock): void => {
    for (let n = 0; n < count; n++)
      lock.revoked.push({
        server: 'acme.tools/weather',
        version: `0.0.${n}`,
        reason: 'CVE',
        at: lock.issuedAt,
      });
  };

function entriesThatFit(bytes = FULL_BYTES): number {
  const [one, two] = [1, 2].map((count) => renderLockFile(makeLock({ lock: aliases(count) })).length);
  return Math.floor(bytes / ((two ?? 0) - (one ?? 0)));
}

export const sizeRows: readonly Row[] = [
  {
    id: 'many-entries',
    attacker: 'the lock key',
    attack: `signs a lock of ${MANY.toLocaleString('en')} entries`,
    refusedBy: 'runtime and gate',
    code: 'DOCUMENT_INVALID',
    run: (world) => measured(world, repeated(MANY), { seconds: 2, mebibytes: 100 }),
  },
  {
    id: 'most-entries',
    attacker: 'the lock key',
    attack: 'signs a lock of as many approved entries as fit, where one was asked for',
    refusedBy: 'runtime and gate',
    code: 'LOCK_INTENT',
    run: (world) => measured(world, signedLock(aliases(entriesThatFit())), { seconds: 30, mebibytes: 1500 }),
  },
  {
    id: 'many-revocations',
    attacker: 'the lock key',
    attack: `signs a lock of ${MANY.toLocaleString('en')} revocations and thousands of entries`,
    refusedBy: 'runtime and gate',
    code: 'LOCK_INTENT',
    run: (world) =>
      measured(
        world,
        signedLock((lock) => {
          aliases(entriesThatFit(FULL_BYTES / 4))(lock);
          revoked(MANY)(lock);
        }),
        { seconds: 30, mebibytes: 1500 },
      ),
  },
];
