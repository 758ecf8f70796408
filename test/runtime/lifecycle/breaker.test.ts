import { setImmediate } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { Breaker } from '../../../runtime/lifecycle/breaker.ts';
import { Supervisor } from '../../../runtime/lifecycle/supervisor.ts';
import { plainProcess, SCRIPTED } from '../../helpers/session.ts';

function opened(): { breaker: Breaker; pass: (ms: number) => void; may: () => boolean } {
  let now = 0;
  const breaker = new Breaker({ now: () => now, random: () => 0 });
  for (let n = 0; n < 3; n++) breaker.failed('it ended');
  return {
    breaker,
    pass: (ms) => {
      now += ms;
    },
    may: () => breaker.refusal('acme', {}) === null,
  };
}

describe('a breaker that is half open', () => {
  it('lets one trial through, however many ask', () => {
    const { breaker, pass, may } = opened();
    expect([breaker.state, may()]).toEqual(['open', false]);
    pass(500);
    expect(breaker.state).toBe('half-open');
    expect([may(), may(), may()]).toEqual([true, false, false]);
    expect(breaker.refusal('acme', {})?.code).toBe('SERVER_RESTING');
  });

  it('lets everybody through once the trial answered, and nobody once it failed', () => {
    const { breaker, pass, may } = opened();
    pass(500);
    may();
    breaker.failed('it ended again');
    expect(may()).toBe(false);
    pass(1000);
    expect([may(), may()]).toEqual([true, false]);
    breaker.succeeded();
    expect([may(), may(), breaker.state]).toEqual([true, true, 'closed']);
  });

  it('waits for a trial as long as it starts, and ten seconds for its first answer', () => {
    const { breaker, pass, may } = opened();
    pass(500);
    const trial = {};
    expect(breaker.refusal('acme', trial)).toBeNull();
    pass(600_000);
    expect(may()).toBe(false);
    expect(breaker.refusal('acme', {})?.next).toContain('right now');
    breaker.started({});
    breaker.left({});
    pass(10_000);
    expect(may()).toBe(false);
    breaker.started(trial);
    pass(9999);
    expect(may()).toBe(false);
    pass(1);
    expect([may(), may()]).toEqual([true, false]);
  });

  it('lets another try once the one that tried is gone', () => {
    const { breaker, pass, may } = opened();
    pass(500);
    const trial = {};
    expect(breaker.refusal('acme', trial)).toBeNull();
    breaker.left(trial);
    expect([may(), may()]).toEqual([true, false]);
  });
});

const KEPT = {
  server: 'acme',
  handlers: {
    message: () => undefined,
    badLine: () => undefined,
    full: () => undefined,
    drained: () => undefined,
  },
  greet: async () => true as const,
  probe: async () => undefined,
  lost: () => undefined,
  changed: () => undefined,
  probes: null,
  idleMs: null,
};

describe('what keeps a server', () => {
  it('asks after it once for each time that it was used, and never while it is idle', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    let probes = 0;
    const supervisor = new Supervisor<true>({
      ...KEPT,
      start: () => plainProcess([SCRIPTED, 'good']),
      probe: async () => ++probes,
      breaker: new Breaker(),
      probes: { everyMs: 60_000, timeoutMs: 1000, failures: 3, ifUsed: true },
    });
    const minutes = async (count: number): Promise<number> => {
      for (let at = 0; at < count; at++) {
        vi.advanceTimersByTime(60_000);
        await setImmediate();
      }
      return probes;
    };
    try {
      await supervisor.want();
      expect(await minutes(5)).toBe(0);
      supervisor.busy = true;
      supervisor.busy = false;
      expect(await minutes(5)).toBe(1);
    } finally {
      vi.useRealTimers();
      await supervisor.end('done', 0);
    }
  });

  it('tells the breaker when its trial stands and when it goes', async () => {
    const { breaker, pass } = opened();
    pass(500);
    const doors: PromiseWithResolvers<void>[] = [];
    const made = (): Supervisor<true> => {
      const door = Promise.withResolvers<void>();
      doors.push(door);
      return new Supervisor<true>({
        ...KEPT,
        start: () => door.promise.then(() => plainProcess([SCRIPTED, 'good'])),
        breaker,
      });
    };
    const [slow, other] = [made(), made()];
    const started = slow.want();
    await setImmediate();
    pass(300_000);
    await expect(other.want()).rejects.toMatchObject({ code: 'SERVER_RESTING' });
    doors[0]?.resolve();
    await started;
    pass(9999);
    await expect(other.want()).rejects.toMatchObject({ code: 'SERVER_RESTING' });
    await slow.end('its client is gone', 0);
    doors[1]?.resolve();
    await other.want();
    await other.end('done', 0);
  });
});
