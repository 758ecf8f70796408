/** A stateless client before a server with sessions: what it is asked, what it may come back with, and what is refused. */
import { afterEach, describe, expect, it } from 'vitest';
import { Breaker } from '../../../runtime/lifecycle/breaker.ts';
import type { AuditBody } from '../../../schemas/audit.ts';
import type { JsonObject } from '../../../schemas/common.ts';
import { envelopeWith, gatewayWith, META, OLDER, sessionWith, textOf } from '../../helpers/eras.ts';
import { messagesOf, type RunningGateway, stateless } from '../../helpers/gateway.ts';
import { codeOf, type Running } from '../../helpers/session.ts';
import { until } from '../../helpers/wait.ts';

let session: Running;
afterEach(async () => {
  await session?.close();
});

const ask = (id: number, method: string, params: JsonObject = {}): Promise<JsonObject> =>
  session.request(id, method, { _meta: envelopeWith(), ...params });
const call = (id: number, name: string, args: JsonObject = {}, more: JsonObject = {}): Promise<JsonObject> =>
  ask(id, 'tools/call', { name, arguments: args, ...more });

interface Asked {
  readonly resultType: string;
  readonly inputRequests: Record<string, { method: string; params: JsonObject }>;
  readonly requestState: string;
}
const askedIn = ({ result }: JsonObject): Asked => result as unknown as Asked;
/** What a retry carries: the same answer to every question. */
function back({ inputRequests, requestState }: Asked, name = 'Ann'): JsonObject {
  const answer = { action: 'accept', content: { name } };
  const answers = Object.keys(inputRequests).map((key) => [key, answer]);
  return { requestState, inputResponses: Object.fromEntries(answers) };
}
const GREET = { greeting: 'Hi' };

describe('what a server with sessions answers', () => {
  it('says that it is complete, of whom it is, and how long lists may be kept', async () => {
    session = await sessionWith(OLDER);
    const found = (await ask(1, 'server/discover')).result;
    expect(found).toMatchObject({ supportedVersions: ['2026-07-28'], instructions: 'Ask it anything.' });
    const _meta = { [`${META}serverInfo`]: { name: 'older', version: '1.0.0' } };
    const kept = { resultType: 'complete', cacheScope: 'private', _meta };
    expect((await ask(2, 'tools/list')).result).toMatchObject({ ...kept, ttlMs: 60_000 });
    const read = await ask(3, 'resources/read', { uri: 'note://one' });
    expect(read.result).toMatchObject({ ...kept, ttlMs: 0, contents: [{ text: 'a note' }] });
    const echoed = (await call(4, 'echo', { words: 'a' })).result;
    expect(echoed).toEqual({ resultType: 'complete', content: [{ type: 'text', text: 'a' }], _meta });
  });

  it('is passed where it is large, and refused where it is too large', async () => {
    session = await sessionWith(OLDER, { content: { maxResultBytes: 400_000 } });
    const words = 'a'.repeat(300_000);
    expect(textOf(await call(1, 'echo', { words }))).toBe(words);
    expect(codeOf(await call(2, 'echo', { words: words + words }))).toBe('RESULT_INVALID');
    expect(textOf(await call(3, 'echo', { words: 'b' }))).toBe('b');
    const refused = (await session.records()).filter(({ kind }) => kind === 'response.refused');
    expect(refused.map(({ message }) => message)).toEqual([expect.stringContaining('at most 400000 bytes')]);
  });

  it('is never a question that the server did not ask as its era does', async () => {
    session = await sessionWith(OLDER);
    const { result } = await call(1, 'forged');
    expect(result).toMatchObject({ resultType: 'complete', content: [{ text: 'not asked' }] });
  });

  it('comes with steps and words only for who asked for them', async () => {
    session = await sessionWith(OLDER);
    expect(textOf(await call(1, 'steps'))).toBe('stepped');
    expect(session.received.map(({ method }) => method ?? 'answer')).toEqual(['answer']);
    const _meta = envelopeWith({}, { progressToken: 'p', [`${META}logLevel`]: 'debug' });
    expect(textOf(await ask(2, 'tools/call', { name: 'steps', arguments: {}, _meta }))).toBe('stepped');
    const said = session.received.slice(1).map(({ method }) => method ?? 'answer');
    expect(said.sort()).toEqual([
      'answer',
      'notifications/message',
      ...Array(2).fill('notifications/progress'),
    ]);
  });
});

describe('a question of the server', () => {
  it('is the result of the call, which goes on under the id of the request that answers it', async () => {
    session = await sessionWith(OLDER);
    const asked = askedIn(await call(1, 'greet', GREET));
    expect(asked.resultType).toBe('input_required');
    expect(asked.requestState).toMatch(/^[\w-]{43}$/);
    expect(Object.values(asked.inputRequests)).toMatchObject([{ method: 'elicitation/create' }]);
    expect(textOf(await call(2, 'greet', GREET, back(asked)))).toBe('Hi, Ann');
    const records = await session.records();
    const rounds = records.filter(({ kind }) => kind === 'call.round');
    const calls = records.filter(({ kind, target }) => kind === 'request.forwarded' && target === 'greet');
    expect(rounds).toMatchObject([
      { direction: 'to-client', call: calls[0]?.call, detail: { round: 1, asks: ['elicitation/create'] } },
      { direction: 'to-server', call: calls[1]?.call, detail: { of: calls[0]?.call } },
    ]);
    expect(JSON.stringify(records)).not.toContain(asked.requestState);
    const question = records.find(({ method }) => method === 'elicitation/create');
    expect(question?.call?.startsWith(`${calls[0]?.call}/s-`)).toBe(true);
  });

  it('that is one of several asked at once is asked with the others, and again while it is not answered', async () => {
    session = await sessionWith(OLDER);
    const asked = askedIn(await call(1, 'both'));
    const questions = Object.entries(asked.inputRequests);
    const methods = questions.map(([, { method }]) => method);
    expect(methods).toEqual(['elicitation/create', 'sampling/createMessage']);
    const { inputResponses } = back(asked) as { inputResponses: JsonObject };
    const [[first = '']] = questions as [[string, unknown]];
    const half = {
      requestState: asked.requestState,
      inputResponses: { [first]: inputResponses[first] ?? null },
    };
    const left = askedIn(await call(2, 'both', {}, half));
    expect(Object.values(left.inputRequests).map(({ method }) => method)).toEqual(['sampling/createMessage']);
    const sampled = { role: 'assistant', model: 'm', content: { type: 'text', text: 'hi' } };
    const rest = {
      requestState: left.requestState,
      inputResponses: { [Object.keys(left.inputRequests)[0] ?? '']: sampled },
    };
    expect(textOf(await call(3, 'both', {}, rest))).toBe('Ann hi');
  });

  it('that the client of the call did not declare is refused to the server, which does without', async () => {
    session = await sessionWith(OLDER);
    const answer = await ask(1, 'tools/call', { name: 'where', arguments: {}, _meta: envelopeWith({}) });
    expect(answer.error).toMatchObject({ code: -32601 });
    const refused = (await session.records()).filter(({ kind }) => kind === 'request.refused');
    expect(refused).toMatchObject([{ method: 'roots/list', code: 'METHOD_REFUSED' }]);
  });

  it('as soon as it is greeted is refused to the server, which does not wait for it', async () => {
    session = await sessionWith({ words: [...OLDER.words, 'eager'], era: 'session' });
    expect(textOf(await call(1, 'early'))).toBe('refused');
    const refused = (await session.records()).filter(({ kind }) => kind === 'request.refused');
    expect(refused).toMatchObject([{ method: 'roots/list', code: 'METHOD_REFUSED' }]);
  });

  it('outside of any call is refused to the server', async () => {
    session = await sessionWith(OLDER);
    expect(textOf(await call(1, 'late'))).toBe('done');
    const refused = await until(async () => {
      const found = (await session.records()).filter(({ kind }) => kind === 'request.refused');
      return found.length > 0 && found;
    });
    expect(refused).toMatchObject([{ method: 'elicitation/create', code: 'METHOD_REFUSED' }]);
    expect(session.received.length).toBe(1);
  });
});

describe('a state', () => {
  it.each<[string, (asked: Asked) => Promise<JsonObject>]>([
    [
      'that nobody was given',
      (asked) => call(2, 'greet', GREET, { ...back(asked), requestState: 'A'.repeat(43) }),
    ],
    ['of another kind', (asked) => call(2, 'greet', GREET, { ...back(asked), requestState: 7 })],
    [
      'that is huge',
      (asked) => call(2, 'greet', GREET, { ...back(asked), requestState: 'x'.repeat(1_000_000) }),
    ],
    ['of another tool', (asked) => call(2, 'twice', {}, back(asked))],
    ['of other arguments', (asked) => call(2, 'greet', { greeting: 'Bye' }, back(asked))],
  ])('%s is refused, and the right one still holds', async (_what, forged) => {
    session = await sessionWith(OLDER);
    const asked = askedIn(await call(1, 'greet', GREET));
    expect(codeOf(await forged(asked))).toBe('ROUND_REFUSED');
    expect(textOf(await call(3, 'greet', GREET, back(asked)))).toBe('Hi, Ann');
    const records = await session.records();
    expect(records.filter(({ code }) => code === 'ROUND_REFUSED').length).toBeGreaterThanOrEqual(1);
  });

  it('holds once', async () => {
    session = await sessionWith(OLDER);
    const first = askedIn(await call(1, 'twice'));
    const second = askedIn(await call(2, 'twice', {}, back(first, 'Ann')));
    expect(codeOf(await call(3, 'twice', {}, back(first, 'Mallory')))).toBe('ROUND_REFUSED');
    expect(textOf(await call(4, 'twice', {}, back(second, 'Bob')))).toBe('Ann and Bob');
  });

  it('is of its own caller alone', async () => {
    const gateway: RunningGateway = await gatewayWith({ older: OLDER });
    try {
      const url = `${gateway.url}/servers/older/mcp`;
      const params = { name: 'greet', arguments: GREET, _meta: envelopeWith() };
      const said = async (id: number, more: JsonObject, user: string): Promise<JsonObject> => {
        const request = { id, method: 'tools/call', params: { ...params, ...more } };
        return (await messagesOf(await stateless(url, request, { 'x-user': user })))[0] ?? {};
      };
      const asked = askedIn(await said(1, {}, 'erin'));
      expect(codeOf(await said(2, back(asked, 'Mallory'), 'mallory'))).toBe('ROUND_REFUSED');
      expect(textOf(await said(3, back(asked), 'erin'))).toBe('Hi, Ann');
    } finally {
      await gateway.close();
    }
  });
});

describe('a server that asks for ever', () => {
  it('is refused after 32 rounds; the call ends', async () => {
    session = await sessionWith(OLDER);
    let answer = await call(1, 'endless');
    let rounds = 0;
    while (answer.result !== undefined)
      answer = await call(++rounds + 1, 'endless', {}, back(askedIn(answer)));
    expect(rounds).toBe(32);
    expect(answer.error).toBeDefined();
    const refused = (await session.records()).filter(({ kind }) => kind === 'request.refused');
    expect(refused).toMatchObject([{ method: 'elicitation/create', code: 'ROUND_REFUSED' }]);
  });

  it('or for much at once is heard with 16 questions, and no more', async () => {
    session = await sessionWith(OLDER);
    const asked = askedIn(await call(1, 'flood'));
    expect(Object.keys(asked.inputRequests).length).toBe(16);
    expect(textOf(await call(2, 'flood', {}, back(asked)))).toBe('16 of 40');
  });

  it('keeps no more than 64 calls waiting for clients that do not come back', async () => {
    session = await sessionWith(OLDER);
    for (let id = 1; id <= 64; id++) {
      const { resultType } = askedIn(await call(id, 'greet', GREET));
      expect(resultType).toBe('input_required');
    }
    expect(codeOf(await call(65, 'greet', GREET))).toBe('ROUND_REFUSED');
    expect(textOf(await call(66, 'echo', { words: 'still there' }))).toBe('still there');
  });
});

describe('a client that does not come back in time', () => {
  it('has its call cancelled; the server is told, and the state holds no more', async () => {
    session = await sessionWith(OLDER, { answerMs: 300 });
    const asked = askedIn(await call(1, 'greet', GREET));
    const lost = ({ kind, outcome }: AuditBody): boolean => kind === 'call.round' && outcome === 'lost';
    await until(async () => (await session.records()).some(lost));
    expect(codeOf(await call(2, 'greet', GREET, back(asked)))).toBe('ROUND_REFUSED');
    const records = await session.records();
    const over = records.filter(lost);
    expect(over).toMatchObject([{ message: 'the client did not come back' }]);
    const question = records.filter(
      ({ kind, method }) => kind === 'request.finished' && method === 'elicitation/create',
    );
    expect(question).toMatchObject([{ outcome: 'lost' }]);
  });
});

describe('an answer while the client is away', () => {
  it.each([
    [10, undefined],
    [2_000_000, 'ROUND_REFUSED'],
  ])('of %i characters waits for it: %s', async (size, code) => {
    session = await sessionWith(OLDER);
    const asked = askedIn(await call(1, 'hasty', { size }));
    const isOver = ({ kind, method }: AuditBody): boolean =>
      kind === 'request.finished' && method === 'elicitation/create';
    await until(async () => (await session.records()).some(isOver));
    const answer = await call(2, 'hasty', { size }, back(asked));
    expect(codeOf(answer)).toBe(code);
    if (code === undefined) expect(textOf(answer)?.length).toBe(size);
  });

  it('keeps a server from rest that nothing else needs', async () => {
    const keeping = { onDemand: true, breaker: new Breaker(), probes: null, idleMs: 200 };
    session = await sessionWith(OLDER, { keeping });
    const asked = askedIn(await call(1, 'greet', GREET));
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect(textOf(await call(2, 'greet', GREET, back(asked)))).toBe('Hi, Ann');
    await until(async () => (await session.records()).some(({ message }) => message === 'nothing needed it'));
  });
});

describe('a subscription', () => {
  it('hears of what it asked for and of nothing else, and is judged by resource', async () => {
    session = await sessionWith(OLDER);
    const listen = (id: number, ...uris: string[]): void => {
      const notifications = { toolsListChanged: true, resourceSubscriptions: uris };
      session.send({ id, method: 'subscriptions/listen', params: { notifications, _meta: envelopeWith() } });
    };
    listen(8, 'note://one', 'note://other');
    expect(codeOf(await session.next(({ id }) => id === 8))).toBe('TOOL_REFUSED');
    listen(9, 'note://one');
    const begun = await session.next(({ method }) => method === 'notifications/subscriptions/acknowledged');
    expect(begun.params).toEqual({
      notifications: { toolsListChanged: true, resourceSubscriptions: ['note://one'] },
      _meta: { [`${META}subscriptionId`]: 9 },
    });
    expect(textOf(await call(2, 'touch'))).toBe('touched');
    const changed = await session.next(({ method }) => method === 'notifications/tools/list_changed');
    const updated = await session.next(({ method }) => method === 'notifications/resources/updated');
    for (const { params } of [changed, updated])
      expect(params).toMatchObject({ _meta: { [`${META}subscriptionId`]: 9 } });
    session.send({ method: 'notifications/cancelled', params: { requestId: 9 } });
    await call(3, 'touch');
    await call(4, 'echo', { words: 'after' });
    expect(session.received.filter(({ method }) => method?.toString().endsWith('list_changed')).length).toBe(
      1,
    );
    const refused = (await session.records()).filter(({ kind }) => kind === 'request.refused');
    expect(refused).toMatchObject([{ method: 'subscriptions/listen', code: 'TOOL_REFUSED' }]);
  });
});

describe('a call that its client takes back', () => {
  it('is taken back from the server, whose question is over', async () => {
    session = await sessionWith(OLDER);
    session.send({
      id: 1,
      method: 'tools/call',
      params: { name: 'hasty', arguments: { size: 1 }, _meta: envelopeWith({}) },
    });
    session.send({ method: 'notifications/cancelled', params: { requestId: 1 } });
    // What the server asks once its call is taken back is not put to this one's client.
    const after = await call(2, 'echo', { words: 'after' }, { _meta: envelopeWith({}) });
    expect(textOf(after), JSON.stringify(after)).toBe('after');
    expect(session.received.map(({ id }) => id)).toEqual([2]);
  });
});
