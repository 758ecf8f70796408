/** A server that is started when it is needed, rests when it is not, and is started again after its death. */
import { describe, expect, it } from 'vitest';
import { Breaker } from '../../../runtime/lifecycle/breaker.ts';
import type { State } from '../../../runtime/lifecycle/states.ts';
import type { Keeping } from '../../../runtime/session/options.ts';
import { held } from '../../../runtime/session/server-side.ts';
import { NEWER, sessionWith } from '../../helpers/eras.ts';
import { codeOf, openSession, plainProcess, type Running, SCRIPTED } from '../../helpers/session.ts';
import { until } from '../../helpers/wait.ts';

const ASKED = {
  _meta: {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': {},
  },
};
const CALL = { name: 'echo', arguments: { message: 'hi' } };

function kept(more: Partial<Keeping> = {}): Keeping {
  return { onDemand: true, breaker: new Breaker(), probes: null, idleMs: null, ...more };
}

/** Throws where no server runs: 0 would be this process and all around it. */
function pidOf(session: Running): number {
  const pid = session.process()?.pid;
  if (pid === undefined) throw new Error('no server runs');
  return pid;
}

async function opened(
  keeping: Keeping,
  how = 'good',
): Promise<{ session: Running; states: State[]; starts: () => number }> {
  const states: State[] = [];
  let starts = 0;
  const session = await openSession({
    keeping,
    onState: ({ to }) => void states.push(to),
    start: (log) => {
      starts++;
      return plainProcess([SCRIPTED, how, log]);
    },
  });
  return { session, states, starts: () => starts };
}

describe('a server on demand', () => {
  it('does not run for a greeting, a list or a refusal, and runs once for calls that come together', async () => {
    const { session, states, starts } = await opened(kept());
    const { tools } = (await session.request(1, 'tools/list')).result as { tools: { name: string }[] };
    expect(tools.map(({ name }) => name)).toContain('echo');
    expect(codeOf(await session.request(2, 'tools/call', { name: 'nope', arguments: {} }))).toBe(
      'TOOL_REFUSED',
    );
    expect(starts()).toBe(0);
    const answers = await Promise.all([3, 4, 5].map((id) => session.request(id, 'tools/call', CALL)));
    for (const { result } of answers) expect(result).toEqual({ content: [{ type: 'text', text: 'hi' }] });
    expect(starts()).toBe(1);
    expect(states).toEqual(['STARTING', 'READY']);
    await session.close();
    expect(session.calls().length).toBe(3);
  });

  it('rests when nothing needs it, and wakes for the next call', async () => {
    const { session, states, starts } = await opened(kept({ idleMs: 50 }));
    await session.request(1, 'tools/call', CALL);
    const pid = session.process()?.pid;
    await until(() => states.at(-1) === 'COLD');
    expect((await session.request(2, 'tools/call', CALL)).error).toBeUndefined();
    expect(session.process()?.pid).not.toBe(pid);
    expect(starts()).toBe(2);
    await session.close();
  });

  it('that is called while it is let rest is started again after that, and each change is told', async () => {
    const states: State[] = [];
    const called = Promise.withResolvers<void>();
    const session = await openSession({
      keeping: kept({ idleMs: 50 }),
      onState: ({ to }) => void states.push(to),
      start: async (log) => {
        const child = await plainProcess([SCRIPTED, 'good', log]);
        const stop: typeof child.stop = async (graceMs) => {
          await called.promise;
          return child.stop(graceMs);
        };
        return { ...child, stop };
      },
    });
    await session.request(1, 'tools/call', CALL);
    await until(() => states.at(-1) === 'DRAINING');
    const answer = session.request(2, 'tools/call', CALL);
    setTimeout(called.resolve, 100);
    expect((await answer).error).toBeUndefined();
    expect(states.slice(0, 6)).toEqual(['STARTING', 'READY', 'DRAINING', 'COLD', 'STARTING', 'READY']);
    await session.close();
  });

  it('is started again after its death; what was in flight is told and recorded', async () => {
    const { session, states, starts } = await opened(kept());
    await session.request(1, 'tools/call', CALL);
    process.kill(pidOf(session), 'SIGKILL');
    await until(() => states.at(-1) === 'DEAD');
    expect((await session.request(2, 'tools/call', CALL)).error).toBeUndefined();
    expect(starts()).toBe(2);
    await session.close();
  });

  it('that answers between its deaths is not held to be failing', async () => {
    const { session, states, starts } = await opened(kept());
    for (const id of [1, 2, 3, 4, 5]) {
      expect((await session.request(id, 'tools/call', CALL)).error).toBeUndefined();
      process.kill(pidOf(session), 'SIGKILL');
      await until(() => states.at(-1) === 'DEAD');
    }
    expect(starts()).toBe(5);
    await session.close();
  });

  it('that is not the locked one answers no call, and after three failures is not started any more', async () => {
    const { session, starts } = await opened(kept(), 'instructed');
    for (const id of [1, 2, 3])
      expect(codeOf(await session.request(id, 'tools/call', CALL))).toBe('SURFACE_DRIFT');
    expect(codeOf(await session.request(4, 'tools/call', CALL))).toBe('SERVER_RESTING');
    expect(starts()).toBe(3);
    await session.close();
    expect(session.calls()).toEqual([]);
  });

  it('that hangs is seen by its own probes: degraded, then dead', async () => {
    const { session, states } = await opened(kept({ probes: { everyMs: 20, timeoutMs: 500, failures: 2 } }));
    await session.request(1, 'tools/call', CALL);
    process.kill(pidOf(session), 'SIGSTOP');
    await until(() => states.at(-1) === 'DEAD');
    expect(states.slice(-2)).toEqual(['DEGRADED', 'DEAD']);
    expect((await session.request(2, 'tools/call', CALL)).error).toBeUndefined();
    await session.close();
  });
});

describe('a tool that changes without a word', () => {
  it('is found out by the questions that its server is asked, and called no more; it is recorded once', async () => {
    const { session } = await opened(kept({ probes: { everyMs: 20, timeoutMs: 5000, failures: 3 } }));
    await session.request(1, 'tools/call', { name: 'act', arguments: { what: 'change unsaid' } });
    const drifts = async (): Promise<unknown[]> =>
      (await session.records()).filter(({ kind }) => kind === 'surface.drift').map(({ target }) => target);
    await expect.poll(drifts).toEqual(['echo']);
    expect(codeOf(await session.request(2, 'tools/call', CALL))).toBe('TOOL_DRIFTED');
    expect(session.received.some(({ method }) => method !== undefined)).toBe(false);
    await session.close();
    expect(session.calls().length).toBe(1);
    expect(await drifts()).toEqual(['echo']);
  });

  it('is found out where the server is there for one client as well, at the first reading after a call', async () => {
    const { probes } = held();
    const keeping = { ...held(), probes: probes && { ...probes, everyMs: 20 } };
    const session = await openSession({ keeping });
    await session.request(1, 'tools/call', { name: 'act', arguments: { what: 'change unsaid' } });
    const drifts = async (): Promise<unknown[]> =>
      (await session.records()).filter(({ kind }) => kind === 'surface.drift').map(({ target }) => target);
    await expect.poll(drifts).toEqual(['echo']);
    expect(codeOf(await session.request(2, 'tools/call', CALL))).toBe('TOOL_DRIFTED');
    expect(probes?.everyMs).toBe(60_000);
    await session.close();
  });

  it('is hidden from the client that asks for the list first, and called no more', async () => {
    const { session } = await opened(kept());
    await session.request(1, 'tools/call', { name: 'act', arguments: { what: 'change unsaid' } });
    expect(JSON.stringify(await session.request(2, 'tools/list'))).not.toContain('echo');
    expect(codeOf(await session.request(3, 'tools/call', CALL))).toBe('TOOL_DRIFTED');
    await session.close();
    expect(session.calls().length).toBe(1);
  });
});

describe('a server of the stateless era that hangs', () => {
  it('is seen by what it is asked as well', async () => {
    const states: State[] = [];
    const session = await sessionWith(NEWER, {
      keeping: kept({ probes: { everyMs: 50, timeoutMs: 500, failures: 2 } }),
      onState: ({ to }) => void states.push(to),
    });
    const plain = { name: 'plain', arguments: {}, ...ASKED };
    expect((await session.request(1, 'tools/call', plain)).error).toBeUndefined();
    process.kill(pidOf(session), 'SIGSTOP');
    await until(() => states.at(-1) === 'DEAD');
    expect((await session.request(2, 'tools/call', plain)).error).toBeUndefined();
    await session.close();
  });
});

describe('an answer that nobody asked for', () => {
  it('closes no breaker', async () => {
    const breaker = new Breaker();
    for (let n = 0; n < 2; n++) breaker.failed('it ended');
    const { session } = await opened(kept({ breaker }));
    session.send({
      id: 1,
      method: 'tools/call',
      params: { name: 'act', arguments: { what: 'large answers' } },
    });
    await session.end;
    breaker.failed('it ended');
    expect(breaker.state).toBe('open');
  });
});
