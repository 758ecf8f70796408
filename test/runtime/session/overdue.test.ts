/** Calls that take too long, and clients that did not wait to be told which protocol eras there are. */
import { afterEach, describe, expect, it } from 'vitest';
import { Breaker } from '../../../runtime/lifecycle/breaker.ts';
import type { JsonObject } from '../../../schemas/common.ts';
import { type Lone, OLDER, STATELESS, sessionWith, textOf } from '../../helpers/eras.ts';
import { codeOf, INITIALIZE, openSession, type Running, startSession } from '../../helpers/session.ts';

let session: Running;
afterEach(async () => {
  await session?.close();
});

const act = (what: string, more: JsonObject = {}): JsonObject => ({
  name: 'act',
  arguments: { what },
  ...more,
});

describe('a call that is neither answered nor at work', () => {
  it('is over after its time: the client is told, the server as well, the record says so', async () => {
    session = await openSession({ callMs: 2000 });
    const answer = await session.request(1, 'tools/call', act('late'));
    expect(codeOf(answer)).toBe('SERVER_SILENT');
    // The server answers now: nobody is told, and the session goes on.
    expect(textOf(await session.request(2, 'tools/call', act('settle')))).toBe('did settle');
    expect(session.received.filter(({ id }) => id === 1)).toHaveLength(1);
    expect(session.calls()).toContainEqual({ cancelled: 1 });
    const ends = (await session.records()).filter(({ kind }) => kind === 'request.finished');
    expect(ends[0]).toMatchObject({ outcome: 'lost', code: 'SERVER_SILENT', target: 'act' });
  });

  it('goes on while it tells progress', async () => {
    // Ten times as long as from one word of progress to the next, and over before the answer.
    session = await openSession({ callMs: 1500 });
    const answer = await session.request(1, 'tools/call', act('slowly', { _meta: { progressToken: 't' } }));
    expect(textOf(answer)).toBe('did it slowly');
    expect(codeOf(await session.request(2, 'tools/call', act('slowly')))).toBe('SERVER_SILENT');
  });

  it('waits for its client as long as that thinks', async () => {
    session = await startSession({ callMs: 2500 });
    await session.request(0, 'initialize', { ...INITIALIZE, capabilities: { sampling: {} } });
    session.send({ id: 1, method: 'tools/call', params: act('ask') });
    const { id } = await session.next(({ method }) => method === 'sampling/createMessage');
    await new Promise((resolve) => setTimeout(resolve, 2800));
    session.send({ id: id as string, result: { model: 'm' } });
    expect(textOf(await session.next((one) => one.id === 1 && one.method === undefined))).toBe('asked m');
  });
});

const DISCOVER = {
  _meta: {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': {},
  },
};
const DEMAND = { onDemand: true, breaker: new Breaker(), probes: null, idleMs: null };
const begins = (): Promise<JsonObject> => session.request(2, 'initialize', INITIALIZE);

describe('a client that begins a session after it asked which eras there are', () => {
  const ways: [string, Lone, boolean, boolean][] = [
    ['a server with sessions', OLDER, true, false],
    ['a server with sessions', OLDER, false, false],
    ['a stateless server', STATELESS, true, false],
    ['a stateless server', STATELESS, false, false],
    ['a server with sessions, on demand', OLDER, true, true],
    ['a stateless server, on demand', STATELESS, false, true],
  ];
  it.each(ways)('%s: answered before: %s, %s', async (_what, server, waits, onDemand) => {
    session = await sessionWith(server, onDemand ? { keeping: DEMAND } : {});
    const asked = session.request(1, 'server/discover', DISCOVER);
    if (waits) expect((await asked).result).toMatchObject({ supportedVersions: ['2026-07-28'] });
    expect((await begins()).result).toMatchObject({ protocolVersion: INITIALIZE.protocolVersion });
    session.send({ method: 'notifications/initialized' });
    const { result } = await session.request(3, 'tools/list');
    const [tool] = (result as { tools: { name: string }[] }).tools;
    const called = await session.request(4, 'tools/call', { name: tool?.name ?? '', arguments: {} });
    expect(called.result ?? called.error).toBeDefined();
    if (!waits && !onDemand) expect(codeOf(await asked)).toBe('METHOD_REFUSED');
    const kinds = (await session.records()).map(({ kind, detail }) =>
      kind === 'session.started' ? (detail as { era: string }).era : '',
    );
    expect(kinds.filter(Boolean).at(-1)).toBe('session');
  });

  it('is refused once it has asked for more', async () => {
    session = await sessionWith(OLDER);
    await session.request(1, 'server/discover', DISCOVER);
    await session.request(9, 'tools/list', DISCOVER);
    expect(codeOf(await begins())).toBe('METHOD_REFUSED');
  });
});
