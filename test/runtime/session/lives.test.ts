/** The lives of servers as their clients bring them about: at work, failing, hanging, dying at any moment. */
import { describe, expect, it } from 'vitest';
import { Breaker } from '../../../runtime/lifecycle/breaker.ts';
import { next } from '../../../runtime/lifecycle/states.ts';
import type { Change } from '../../../runtime/lifecycle/supervisor.ts';
import type { Keeping } from '../../../runtime/session/options.ts';
import { codeOf, openSession, plainProcess, type Running, SCRIPTED } from '../../helpers/session.ts';
import { until } from '../../helpers/wait.ts';

const CALL = { name: 'echo', arguments: { message: 'hi' } };
const act = (what: string): { name: string; arguments: { what: string } } => ({
  name: 'act',
  arguments: { what },
});

interface Lived {
  readonly session: Running;
  readonly changes: Change[];
  readonly pids: number[];
}

/** `hows` of the first starts, one after the other; the last one goes for all that follow. */
async function lived(keeping: Partial<Keeping>, hows: readonly string[] = ['good']): Promise<Lived> {
  const [changes, pids]: [Change[], number[]] = [[], []];
  const session = await openSession({
    keeping: { onDemand: true, breaker: new Breaker(), probes: null, idleMs: null, ...keeping },
    onState: (change) => void changes.push(change),
    start: async (log) => {
      const child = await plainProcess([SCRIPTED, hows[pids.length] ?? hows.at(-1) ?? '', log]);
      pids.push(child.pid);
      return child;
    },
  });
  return { session, changes, pids };
}

const stateOf = ({ changes }: Lived): string | undefined => changes.at(-1)?.to;
const isGone = (pid: number): boolean => {
  try {
    return !process.kill(pid, 0);
  } catch {
    return true;
  }
};

describe('a server at work', () => {
  it('is not let rest, however long nothing else comes', async () => {
    const idleMs = 50;
    const working = await lived({ idleMs });
    const answer = working.session.request(1, 'tools/call', act('late'));
    await until(() => working.session.calls().length === 1);
    // Another one with the same patience began later and rests by now.
    const other = await lived({ idleMs });
    await other.session.request(1, 'tools/call', CALL);
    await until(() => stateOf(other) === 'COLD');
    expect(stateOf(working)).toBe('READY');
    await working.session.request(2, 'tools/call', act('settle'));
    expect((await answer).result).toEqual({ content: [{ type: 'text', text: 'late' }] });
    expect(working.pids.length).toBe(1);
    await Promise.all([working.session.close(), other.session.close()]);
  });
});

describe('a server that failed three times', () => {
  it('is not started until its time has come, then for one call, whose answer closes the breaker', async () => {
    let now = 0;
    const breaker = new Breaker({ now: () => now, random: () => 0 });
    const failing = await lived({ breaker }, ['dies', 'dies', 'dies', 'good']);
    const { session, pids } = failing;
    const call = async (id: number): Promise<unknown> =>
      codeOf(await session.request(id, 'tools/call', CALL));
    for (const id of [1, 2, 3]) expect(await call(id)).toBe('SERVER_DIED');
    expect(await call(4)).toBe('SERVER_RESTING');
    expect([breaker.state, pids.length]).toEqual(['open', 3]);
    now = 1000;
    expect(breaker.state).toBe('half-open');
    expect(await call(5)).toBeUndefined();
    expect([breaker.state, pids.length]).toEqual(['closed', 4]);
    await session.close();
  });
});

describe('a server that knows no ping', () => {
  it('is there as long as it says so', async () => {
    const alive = await lived({ probes: { everyMs: 20, timeoutMs: 600_000, failures: 1 } }, ['pinged']);
    await alive.session.request(1, 'tools/call', CALL);
    await until(() => alive.session.calls().filter(({ method }) => method === 'ping').length > 2);
    expect(stateOf(alive)).toBe('READY');
    await alive.session.close();
  });
});

describe('a server that hangs', () => {
  it('keeps nobody from asking another one whether it is well', async () => {
    const probes = { everyMs: 20, timeoutMs: 600_000, failures: 1 };
    const [hanging, other] = await Promise.all([
      lived({ probes }),
      lived({ probes: { ...probes, timeoutMs: 500 } }),
    ]);
    for (const { session, pids } of [hanging, other]) {
      await session.request(1, 'tools/call', CALL);
      process.kill(pids[0] as number, 'SIGSTOP');
    }
    await until(() => stateOf(other) === 'DEAD');
    expect(stateOf(hanging)).toBe('READY');
    process.kill(hanging.pids[0] as number, 'SIGCONT');
    await Promise.all([hanging.session.close(), other.session.close()]);
    expect([...hanging.pids, ...other.pids].filter((pid) => !isGone(pid))).toEqual([]);
  });
});

/** The same numbers for the same seed (mulberry32). */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

describe('whatever happens to a server', () => {
  it.each([1, 2, 3])(
    'each change of its state follows from the one before, by the table, and is one record (seed %i)',
    async (seed) => {
      const random = numbers(seed);
      const life = await lived({ idleMs: 20, probes: { everyMs: 30, timeoutMs: 5000, failures: 2 } });
      const { session, changes, pids } = life;
      const answers: Promise<{ error?: unknown }>[] = [];
      for (let id = 1; id <= 16; id++) {
        const luck = random();
        const pid = pids.at(-1);
        if (luck < 0.25 && pid !== undefined && !isGone(pid)) process.kill(pid, 'SIGKILL');
        else if (luck < 0.35) await until(() => stateOf(life) !== 'READY' || answers.length === 0);
        else answers.push(session.request(id, 'tools/call', luck < 0.5 ? act('die') : CALL));
        if (random() < 0.5) await answers.at(-1);
      }
      const codes = new Set((await Promise.all(answers)).map((answer) => codeOf(answer as never)));
      for (const code of codes) expect([undefined, 'SERVER_DIED', 'SERVER_RESTING']).toContain(code);
      await session.close();
      let state = 'COLD';
      for (const { from, to, event } of changes) {
        expect([from, to]).toEqual([state, next(from, event)]);
        state = to;
      }
      const told = (await session.records()).filter(({ kind }) => kind === 'server.state');
      expect(told.map(({ detail }) => detail)).toMatchObject(
        changes.map(({ from, to, event }) => ({ from, to, event })),
      );
      expect(changes.filter(({ event }) => event === 'wanted').length).toBe(pids.length);
      expect(pids.filter((pid) => !isGone(pid))).toEqual([]);
    },
  );
});
