/** Rows about one lock on one machine: a twin of it takes the honest lock, then it meets the forged one. */
import type { Code } from '../../schemas/errors.ts';
import { type LockFile, renderLockFile } from '../../schemas/lock.ts';
import { makeLock } from '../helpers/trust.ts';
import { assertProof, makeMachine, type Setting } from './machine.ts';
import type { Row, Scenario } from './row.ts';
import type { World } from './world.ts';

export interface Scene {
  /** Taken by both machines before anything else. */
  readonly seen?: LockFile;
  readonly honest?: LockFile | Buffer;
  /** Without one the honest lock is the attack, on a machine set as `at` says. */
  readonly forged?: LockFile | Buffer;
  /** Of both machines. */
  readonly setting?: Partial<Setting>;
  /** Of the attacked machine alone. */
  readonly at?: Partial<Setting>;
}

export interface LockAttack {
  readonly id: string;
  readonly attacker: string;
  readonly attack: string;
  readonly code: Code;
  scene(): Scene;
}

export function lockRow({ scene, ...words }: LockAttack): Row {
  return { ...words, refusedBy: 'runtime and gate', run: (world) => staged(world, scene(), words.code) };
}

async function staged(world: World, scene: Scene, code: Code): Promise<Scenario> {
  const honest = scene.honest ?? makeLock();
  const twin = await makeMachine(world, scene.setting);
  const machine = await makeMachine(world, { ...scene.setting, ...scene.at });
  if (scene.seen) for (const one of [twin, machine]) await one.start(scene.seen);
  return {
    control: () => twin.start(honest),
    attack: () => machine.start(scene.forged ?? honest),
    state: () => machine.state(),
    after: () => assertProof(machine, code),
  };
}

/** The bytes of a lock with one text in them replaced. Throws where it is not there. */
export function edited(from: string | RegExp, to: string, file = makeLock()): Buffer {
  const text = renderLockFile(file);
  const changed = text.replace(from, to);
  if (changed === text) throw new Error(`${from} is not in the lock`);
  return Buffer.from(changed);
}
