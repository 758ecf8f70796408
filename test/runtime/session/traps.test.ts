/** Habits of real servers and clients that broke other gateways. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Breaker } from '../../../runtime/lifecycle/breaker.ts';
import type { JsonObject } from '../../../schemas/common.ts';
import { capture, INITIALIZE, plainProcess, type Running, startSession } from '../../helpers/session.ts';

const TRAPPED = join(import.meta.dirname, '../../servers/trapped.mjs');
const DISCOVER = {
  _meta: {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': {},
  },
};

interface Heard {
  readonly pid: number;
  readonly method: string;
  readonly params: JsonObject;
}
const heard = (session: Running): Heard[] => session.calls() as unknown as Heard[];
const namesOf = ({ result }: JsonObject): string[] =>
  (result as unknown as { tools: { name: string }[] }).tools.map(({ name }) => name);
const textOf = ({ result }: JsonObject): string | undefined =>
  (result as unknown as { content?: { text: string }[] }).content?.[0]?.text;

async function trapped(how: string, onDemand = false): Promise<Running> {
  return startSession({
    surface: await capture([TRAPPED, how]),
    start: (log) => plainProcess([TRAPPED, how, log]),
    ...(onDemand ? { keeping: { onDemand, breaker: new Breaker(), probes: null, idleMs: null } } : {}),
  });
}

describe('a server of the session era that cannot bear to be probed', () => {
  it.each([
    ['exits', false],
    ['exits', true],
    ['mute', false],
    ['mute', true],
  ])(
    '%s, started on demand: %s: a stateless client calls it, and it never hears of a probe',
    async (how, onDemand) => {
      const session = await trapped(how, onDemand);
      const { result } = await session.request(1, 'server/discover', DISCOVER);
      expect(result).toMatchObject({ supportedVersions: ['2026-07-28'] });
      if (onDemand) expect(session.process()).toBe(null);
      const call = { name: 'echo', arguments: {}, ...DISCOVER };
      expect(textOf(await session.request(3, 'tools/call', call))).toBe('echo');
      await session.close();
      const methods = heard(session).map(({ method }) => method);
      expect(methods[0]).toBe('initialize');
      expect(methods).not.toContain('server/discover');
      expect(new Set(heard(session).map(({ pid }) => pid)).size).toBe(1);
      const refused = (await session.records()).filter(({ kind }) => kind === 'request.refused');
      expect(refused).toEqual([]);
    },
  );
});

describe('a server that says four times that its tools changed before it lists them', () => {
  it('is listed whole, is called, and is not taken for one that never rests', async () => {
    const session = await trapped('noisy');
    await session.request(1, 'initialize', INITIALIZE);
    session.send({ method: 'notifications/initialized' });
    expect(namesOf(await session.request(2, 'tools/list'))).toEqual(['echo']);
    expect(textOf(await session.request(3, 'tools/call', { name: 'echo', arguments: {} }))).toBe('echo');
    await session.next(({ method }) => method === 'notifications/tools/list_changed');
    expect(await session.close()).toEqual({ reason: 'client closed', error: null });
    const records = await session.records();
    expect(records.filter(({ kind }) => kind === 'surface.drift')).toEqual([]);
    expect(records.filter(({ kind }) => kind === 'notice.forwarded').length).toBeGreaterThanOrEqual(1);
    // Once for the lock's sake, once again for the notices together, and once for the client.
    expect(heard(session).filter(({ method }) => method === 'tools/list').length).toBeLessThanOrEqual(3);
  });
});

describe('a server that speaks of a subscription that nobody holds', () => {
  it('is not heard by whoever calls at the time, and it is recorded', async () => {
    const session = await trapped('strays');
    await session.request(1, 'initialize', INITIALIZE);
    expect(textOf(await session.request(2, 'tools/call', { name: 'echo', arguments: {} }))).toBe('echo');
    await session.close();
    expect(session.received.map(({ id }) => id)).toEqual([1, 2]);
    const refused = (await session.records()).filter(({ kind }) => kind === 'response.refused');
    expect(refused.map(({ message }) => message)).toEqual(['a notice for a subscription that nobody holds']);
  });
});

describe('a server that shows more to a client that can do more', () => {
  it.each([{}, { sampling: {} }, { roots: {}, sampling: {}, elicitation: {} }])(
    'shows what is locked to a client with %j',
    async (capabilities) => {
      const session = await trapped('choosy');
      await session.request(1, 'initialize', { ...INITIALIZE, capabilities });
      session.send({ method: 'notifications/initialized' });
      expect(namesOf(await session.request(2, 'tools/list'))).toEqual([
        'echo',
        'roots',
        'sampling',
        'elicitation',
      ]);
      await session.close();
      const records = await session.records();
      expect(records.filter(({ kind }) => kind === 'surface.drift')).toEqual([]);
    },
  );
});

describe('what clients say of a call', () => {
  const hidden = expect.stringContaining('hmac-sha256:');
  const codex = { turn_id: 't', model: 'm', sandbox: 'read-only' };
  it.each([
    [
      'Claude Code',
      { 'claudecode/toolUseId': 'toolu_01', progressToken: 7 },
      { 'claudecode/toolUseId': 'toolu_01', progressToken: hidden },
    ],
    [
      'Codex',
      { callId: 'call_01', 'x-codex-turn-metadata': { session_id: 's', ...codex } },
      { callId: 'call_01', 'x-codex-turn-metadata': { session_id: hidden, ...codex } },
    ],
  ])(
    '%s: its _meta reaches the server as it is; the record has it but for what is named like a secret',
    async (_client, _meta, recorded) => {
      const session = await trapped('plain');
      await session.request(1, 'initialize', INITIALIZE);
      session.send({ method: 'notifications/initialized' });
      const answer = await session.request(2, 'tools/call', { name: 'echo', arguments: {}, _meta });
      expect(textOf(answer)).toBe('echo');
      await session.close();
      const call = heard(session).find(({ method }) => method === 'tools/call');
      expect(call?.params).toEqual({ name: 'echo', arguments: {}, _meta });
      const record = (await session.records()).find(
        ({ kind, method }) => kind === 'request.forwarded' && method === 'tools/call',
      );
      expect(record?.detail).toEqual({ _meta: recorded });
    },
  );
});
