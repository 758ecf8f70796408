/** What a machine remembers as victim: a writer that is killed, a file that is torn, a pin that is edited. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openHome } from '../../cli/home.ts';
import { seenKey } from '../../cli/project.ts';
import { makeLock, people } from '../helpers/trust.ts';
import { assertProof, type Machine, makeMachine } from './machine.ts';
import { must, type Row, type Scenario } from './row.ts';
import type { World } from './world.ts';

const WRITER = join(import.meta.dirname, 'state-writer.ts');
const KILLS = 50;
const LANES = 5;

/** The file that holds what was seen. */
function seenPath({ home }: Machine): string {
  const dir = join(home.dir, 'seen');
  return join(dir, readdirSync(dir).find((name) => name.endsWith('.json')) ?? '');
}

interface Writer {
  readonly dir: string;
  readonly audience: string;
  /** The version that is there. */
  readonly before: number;
}

/** Starts a writer on this home, kills it when it pleases chance, and reads what it left. */
async function killOnce(world: World, { dir, audience, before }: Writer): Promise<number> {
  const child = fork(WRITER, [dir, audience, String(before)], {
    execArgv: ['--disable-warning=ExperimentalWarning'],
    // Fifty starts of the same program.
    env: { NODE_COMPILE_CACHE: join(world.dir, 'compiled'), ...process.env },
  });
  const ended = once(child, 'exit');
  let told = before;
  child.on('message', (version) => void (told = Number(version)));
  await Promise.race([once(child, 'message'), ended]);
  must(told > before, 'the writer wrote nothing');
  await sleep(Math.random() * 20);
  child.kill('SIGKILL');
  await ended;
  const seen = await openHome(dir).seen(audience);
  must(seen !== null, 'the memory was gone after a kill');
  must((seen?.version ?? 0) >= told, `version ${told} was told as written, ${seen?.version} was there`);
  return seen?.version ?? 0;
}

/** Fifty writers in a few homes at a time; the last home is the machine's own. */
async function killMany(world: World, machine: Machine): Promise<number> {
  const key = seenKey(machine.intent);
  const homes = [
    machine.home.dir,
    ...(await Promise.all(Array.from({ length: LANES - 1 }, () => world.folder()))),
  ];
  const ends = await Promise.all(
    homes.map(async (dir) => {
      let version = dir === machine.home.dir ? 7 : 0;
      for (let kill = 0; kill < KILLS / LANES; kill++)
        version = await killOnce(world, { dir, audience: key, before: version });
      return version;
    }),
  );
  return ends.reduce((sum, version) => sum + version, 0) - 7;
}

async function killed(world: World): Promise<Scenario> {
  const [twin, machine] = [await makeMachine(world), await makeMachine(world)];
  const lock = makeLock();
  await machine.start(lock);
  const written = await killMany(world, machine);
  return {
    control: () => twin.start(lock),
    attack: () => machine.start(lock),
    state: () => machine.state(),
    after: () => `${KILLS} kills, ${written} writes, always the old or the new`,
  };
}

/** A machine that has seen a lock, whose memory somebody then changes. */
async function torn(world: World, change: (text: string) => string): Promise<Scenario> {
  const [twin, machine] = [await makeMachine(world), await makeMachine(world)];
  const lock = makeLock();
  for (const one of [twin, machine]) await one.start(lock);
  const path = seenPath(machine);
  writeFileSync(path, change(readFileSync(path, 'utf8')));
  return {
    control: () => twin.start(lock),
    attack: () => machine.start(lock),
    state: () => machine.state(),
    after: ({ found, expected }) => {
      must(expected.includes(path), `the sentence does not name the file: ${expected}; ${found}`);
      return undefined;
    },
  };
}

/** lockkeeper.json edited to name another root than the machine pinned. */
async function pinEdited(world: World): Promise<Scenario> {
  const [twin, machine] = [await makeMachine(world), await makeMachine(world)];
  const lock = makeLock();
  const { trust, ...rest } = machine.intent;
  const others = { rootKeys: [people.mallory.keyid], threshold: trust.threshold };
  writeFileSync(machine.project.intentPath, JSON.stringify({ ...rest, trust: others }));
  return {
    control: () => twin.start(lock),
    attack: () => machine.start(lock),
    state: () => machine.state(),
    after: () => assertProof(machine, 'ROOT_UNTRUSTED'),
  };
}

/** A refusal late in the steps, after which an honest lock of the version before still counts as new. */
async function poisoned(world: World): Promise<Scenario> {
  const [twin, machine] = [await makeMachine(world), await makeMachine(world)];
  const bad = makeLock({ approvals: [], approvedBy: ['alice'], lock: (lock) => void (lock.version = 9) });
  const late = makeLock({ approvedBy: ['alice', 'carol'], lock: (lock) => void (lock.version = 9) });
  await machine.start(bad).catch(() => undefined);
  return {
    control: () => twin.start(makeLock()),
    attack: () => machine.start(late),
    state: () => machine.state(),
    after: async () => {
      await machine.start(makeLock());
      return undefined;
    },
  };
}

const tear = (id: string, attack: string, change: (text: string) => string): Row => ({
  id,
  attacker: 'a disk that lost power, or a hand',
  attack,
  refusedBy: 'runtime and gate',
  code: 'DOCUMENT_INVALID',
  run: (world) => torn(world, change),
});

export const stateRows: readonly Row[] = [
  {
    id: 'state-killed',
    attacker: 'kill -9, fifty times, at any moment',
    attack: 'hopes for a torn memory, then brings back the older lock',
    refusedBy: 'runtime and gate',
    code: 'LOCK_ROLLBACK',
    run: killed,
  },
  tear('state-half', 'leaves half of what was seen, in the hope that it counts as nothing', (text) =>
    text.slice(0, text.length / 2),
  ),
  tear('state-empty', 'leaves an empty file, in the hope that it counts as first contact', () => ''),
  tear('state-zeroes', 'leaves as many zero bytes', (text) => '\u0000'.repeat(text.length)),
  tear('state-duplicate', 'adds a second, lower version to what was seen', (text) =>
    text.replace('{"version":7', '{"version":1,"version":7'),
  ),
  {
    id: 'state-untouched',
    attacker: 'the lock key',
    attack: 'has a refused lock of a high version remembered',
    refusedBy: 'runtime and gate',
    code: 'APPROVAL_SUBJECT',
    run: poisoned,
  },
  {
    id: 'pin-edited',
    attacker: 'the repository',
    attack: 'writes a root of their own into lockkeeper.json',
    refusedBy: 'runtime and gate',
    code: 'ROOT_UNTRUSTED',
    run: pinEdited,
  },
];
