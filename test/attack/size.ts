/** Time and memory as victim: as many entries and revocations as a file can hold, measured. */
import { type Lock, renderLockFile } from '../../schemas/lock.ts';
import { type LockParts, makeLock } from '../helpers/trust.ts';
import { makeMachine } from './machine.ts';
import { must, type Row, type Scenario } from './row.ts';
import type { World } from './world.ts';

const MANY = 100_000;
/** What a lock file may have, and a little less than that. */
const FULL_BYTES = 62 << 20;

interface Bounds {
  readonly seconds: number;
  readonly mebibytes: number;
}

/** The same lock once, and with what `more` adds to it; refused within its bounds. */
async function measured(world: World, bytes: Buffer, bounds: Bounds): Promise<Scenario> {
  const [twin, machine] = [await makeMachine(world), await makeMachine(world)];
  let seconds = 0;
  let mebibytes = 0;
  return {
    control: () => twin.start(makeLock()),
    attack: async () => {
      const before = process.memoryUsage().rss;
      const began = performance.now();
      try {
        await machine.start(bytes);
      } finally {
        seconds = (performance.now() - began) / 1000;
        mebibytes = (process.memoryUsage().rss - before) >> 20;
      }
    },
    state: () => machine.state(),
    after: () => {
      const found = `${bytes.length >> 20} MiB, ${seconds.toFixed(1)} s, ${mebibytes} MiB of memory`;
      must(seconds <= bounds.seconds, `took too long: ${found}`);
      must(mebibytes <= bounds.mebibytes, `took too much: ${found}`);
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
    run: (world) => measured(world, repeated(MANY), { seconds: 5, mebibytes: 200 }),
  },
  {
    id: 'most-entries',
    attacker: 'the lock key',
    attack: 'signs a lock of as many approved entries as fit, where one was asked for',
    refusedBy: 'runtime and gate',
    code: 'LOCK_INTENT',
    run: (world) => measured(world, signedLock(aliases(entriesThatFit())), { seconds: 30, mebibytes: 2000 }),
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
        { seconds: 30, mebibytes: 2000 },
      ),
  },
];
