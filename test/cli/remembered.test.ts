/** What a machine remembers of a registry, whichever project, command or neighbour process brought it. */
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openHome } from '../../cli/home.ts';
import { readIntent } from '../../cli/project.ts';
import type { RootPin } from '../../runtime/trust/root.ts';
import type { Envelope } from '../../schemas/dsse.ts';
import type { Lock, LockFile } from '../../schemas/lock.ts';
import { type Machine, makeMachine, type Setting } from '../attack/machine.ts';
import { HOLDERS, pin as holdersPin, online, rita, ron, rootOf, ruth, sam, sue } from '../attack/roots.ts';
import { at, makeLock, NOW, people } from '../helpers/trust.ts';

const { mallory } = people;
const onlinePin: RootPin = { rootKeys: [online.keyid], threshold: 1 };
const own = rootOf(1, [online], [online]);
const taken = rootOf(2, HOLDERS, [online, rita, ron]);
const renewed = rootOf(3, HOLDERS, [rita, ruth]);
/** Of a project that this machine has seen nothing of. */
const OTHER = 'acme/other';

function lockOf(root: Envelope, rootChain: Envelope[] = [], change: Partial<Lock> = {}): LockFile {
  const { version: rootVersion } = JSON.parse(Buffer.from(root.payload, 'base64').toString());
  return makeLock({ root, rootChain, lock: (lock) => void Object.assign(lock, { rootVersion, ...change }) });
}

describe('the roots that a machine remembers', () => {
  let dir: string;
  let count = 0;
  beforeAll(async () => void (dir = await mkdtemp(join(tmpdir(), 'lk-remembered-'))));
  afterAll(() => rm(dir, { recursive: true, force: true }));
  const machineOf = (change: Partial<Setting>): Promise<Machine> =>
    makeMachine({ folder: () => mkdtemp(join(dir, `${count++}-`)) }, change);
  const codeOf = (work: Promise<unknown>): Promise<string> =>
    work.then(
      () => 'ok',
      (error) => error.code ?? String(error),
    );
  /** lockkeeper.json of the other project, under a pin of this machine. */
  const other = async (machine: Machine, { rootKeys, threshold }: RootPin): Promise<void> => {
    const trust = { rootKeys: [...rootKeys], threshold };
    const intent = { ...(await readIntent(machine.project)), project: OTHER, trust };
    await writeFile(machine.project.intentPath, JSON.stringify(intent));
    const signIn = (await machine.home.signIns())[0];
    if (signIn) await machine.home.remember({ ...signIn, person: 'erin', ...trust });
  };

  it('are those that were verified, not what lies before the pinned one', async () => {
    const machine = await machineOf({ pin: holdersPin });
    const strange = [1, 3].map((version) => rootOf(version, [mallory], [mallory]));
    await machine.start(lockOf(taken, strange));
    expect(await codeOf(machine.start(lockOf(renewed, [own, taken], { version: 8 })))).toBe('LOG_FORK');
    await other(machine, onlinePin);
    expect(await codeOf(machine.start(lockOf(renewed, [own, taken], { audience: OTHER })))).toBe('ok');
  });

  it('hold against one of before that was never seen, made later by the key of before', async () => {
    const machine = await machineOf({ pin: holdersPin });
    await machine.start(lockOf(renewed));
    await other(machine, onlinePin);
    const forged = rootOf(2, [online], [online]);
    expect(await codeOf(machine.start(lockOf(forged, [], { audience: OTHER })))).toBe('ROOT_ROLLBACK');
  });

  it('end the one before: a lock that is signed under that one later is not believed', async () => {
    let hours = 0;
    const now = (): Date => new Date(Date.parse(at(hours)));
    const machine = await machineOf({ pin: onlinePin, now });
    await machine.start(lockOf(taken, [own]));
    hours = 2;
    await other(machine, onlinePin);
    const under = (issued: number): LockFile =>
      lockOf(own, [], { audience: OTHER, issuedAt: at(issued), expires: at(issued + 70) });
    expect(await codeOf(machine.start(under(1)))).toBe('ROOT_ROLLBACK');
    expect(await codeOf(machine.start(under(-1)))).toBe('ok');
  });

  it('reach over nothing: another one behind a real later one is seen', async () => {
    const machine = await machineOf({ pin: onlinePin });
    await machine.start(lockOf(taken, [own]));
    await other(machine, onlinePin);
    const later = rootOf(4, HOLDERS, [rita, ron]);
    const forged = lockOf(rootOf(3, [online], [online]), [later], { audience: OTHER });
    expect(await codeOf(machine.start(forged))).toBe('ROOT_FORK');
  });

  it('are of the registry that a root was deployed for, and of no other address of it', async () => {
    const machine = await machineOf({ pin: onlinePin });
    const rootPin = join(machine.home.dir, 'root-pin.json');
    Object.assign(machine.context.config, { rootPin });
    const { registry } = machine.intent;
    const file = { lockkeeper: 'root-pin/v1', registry, ...onlinePin };
    await writeFile(rootPin, JSON.stringify(file));
    await machine.start(lockOf(taken, [own]));
    const elsewhere = 'http://127.0.0.1:7412';
    const intent = { ...(await readIntent(machine.project)), registry: elsewhere };
    await writeFile(machine.project.intentPath, JSON.stringify(intent));
    const forged = lockOf(rootOf(3, [online], [online]), [], { registry: elsewhere });
    expect(await codeOf(machine.start(forged))).toBe('ROOT_UNPINNED');
  });

  it('begin anew with a registry that was rebuilt on purpose, and so do its locks', async () => {
    const machine = await machineOf({ pin: onlinePin });
    await machine.start(lockOf(taken, [own]));
    const anew = rootOf(1, [rita], [rita]);
    const pin = { rootKeys: [rita.keyid], threshold: 1 };
    const { registry } = machine.intent;
    const evidence = { root: anew, rootChain: [] };
    await machine.home.beganRoots(registry, { evidence, trusted: { chain: [anew] } }, NOW);
    await other(machine, pin);
    await writeFile(machine.project.intentPath, JSON.stringify({ ...machine.intent, trust: pin }));
    expect(await codeOf(machine.start(lockOf(anew, [], { version: 3 })))).toBe('ok');
    expect(await codeOf(machine.start(lockOf(anew, [], { version: 2 })))).toBe('LOCK_ROLLBACK');
    const next = rootOf(2, [rita], [rita]);
    await machine.home.sawRoots(
      registry,
      { evidence: { root: next, rootChain: [anew] }, trusted: { chain: [anew, next] } },
      NOW,
    );
    expect(await codeOf(machine.start(lockOf(anew, [], { version: 2 })))).toBe('LOCK_ROLLBACK');
  });

  it.each(['', '{"newest":', '\u0000\u0000'])('are not none where the file is torn: %j', async (left) => {
    const machine = await machineOf({ pin: onlinePin });
    await machine.start(lockOf(taken, [own]));
    const folder = join(machine.home.dir, 'seen');
    const name = (await readdir(folder)).find((one) => one.startsWith('roots-')) ?? '';
    await writeFile(join(folder, name), left);
    const refusal = machine.start(lockOf(taken, [own]));
    await expect(refusal).rejects.toMatchObject({
      code: 'DOCUMENT_INVALID',
      expected: expect.stringContaining(name),
    });
  });

  it('stay the newest, whoever writes last', async () => {
    const roots = [taken, renewed, rootOf(4, [rita, ron, sam], [rita, ron])];
    const last = rootOf(5, [rita, ron, sue], [rita, ron]);
    for (let round = 0; round < 20; round++) {
      const home = await mkdtemp(join(dir, 'race-'));
      const all = [...roots, last].map((root, i, list) => {
        const chain = list.slice(0, i + 1);
        return { evidence: { root, rootChain: chain.slice(0, -1) }, trusted: { chain } };
      });
      await Promise.all(all.reverse().map((one) => openHome(home).sawRoots('http://r', one, NOW)));
      expect((await openHome(home).roots('http://r'))?.newest).toEqual(last);
    }
  });

  it('come with the newest lock, whoever writes last', async () => {
    const seen = { digest: `sha256:${'5'.repeat(64)}`, rootVersion: 1, checkpoint: 'x' };
    for (let round = 0; round < 20; round++) {
      const home = await mkdtemp(join(dir, 'race-'));
      const versions = [9, 8, 7, 6, 5, 4, 3, 2, 1];
      await Promise.all(versions.map((version) => openHome(home).saw('a', { ...seen, version })));
      expect((await openHome(home).seen('a'))?.version).toBe(9);
    }
  });

  it('lose no sign-in and no pin to a neighbour', async () => {
    const home = await mkdtemp(join(dir, 'pins-'));
    const registries = Array.from({ length: 8 }, (_, i) => `http://r${i}`);
    const pin = { rootKeys: [online.keyid], threshold: 1 };
    const of = { person: 'erin', token: 't', expires: at(1), ...pin };
    await Promise.all(
      registries.map(async (registry) => {
        await openHome(home).remember({ registry, ...of });
        await openHome(home).pin({ registry, ...pin });
      }),
    );
    expect(await openHome(home).signIns()).toHaveLength(8);
    expect(await openHome(home).pins()).toHaveLength(8);
  });
});
