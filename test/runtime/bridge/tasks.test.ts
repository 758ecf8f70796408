/** Calls that a server of one era makes tasks of, for clients of the other that know none: they bring what those end in. */
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { Following } from '../../../runtime/bridge/following.ts';
import { Notes } from '../../../runtime/bridge/notes.ts';
import type { BridgeOptions } from '../../../runtime/bridge/ports.ts';
import type { Call } from '../../../runtime/bridge/rounds.ts';
import { Exchange, type ExchangeOptions } from '../../../runtime/session/exchange.ts';
import { idKey, type Message, parseMessage } from '../../../runtime/wire/message.ts';
import type { AuditBody } from '../../../schemas/audit.ts';
import type { JsonObject } from '../../../schemas/common.ts';
import { envelopeWith, greeted, type Lone, META, sessionWith, textOf } from '../../helpers/eras.ts';
import {
  capture,
  codeOf,
  plainProcess,
  type Running,
  SCRIPTED,
  type SessionSetup,
  startSession,
} from '../../helpers/session.ts';

const TASKED: Lone = {
  words: [join(import.meta.dirname, '../../servers/conformance-tasks.mjs'), 'stdio'],
  era: 'stateless',
};
const EXTENSION = `${META}tasks`;
const ANN = { action: 'accept', content: { name: 'Ann' } };

let session: Running;
afterEach(async () => {
  await session?.close();
});
const call = (id: number, name: string, args: JsonObject = {}, more: JsonObject = {}): Promise<JsonObject> =>
  session.request(id, 'tools/call', { name, arguments: args, ...more });
const isAsk = ({ id, method }: JsonObject): boolean => id !== undefined && method !== undefined;
const roundsIn = (records: readonly AuditBody[]): unknown[] =>
  records.flatMap(({ kind, detail }) => (kind === 'call.round' ? [(detail as JsonObject).asks] : []));

/** The scripted server as one of the stateless era, which makes tasks of whatever it is told to. */
async function scripted(how = 'tasks', setup: SessionSetup = {}, capabilities?: JsonObject): Promise<void> {
  const surface = await capture([SCRIPTED, how], 'stateless');
  const start: SessionSetup['start'] = (log) => plainProcess([SCRIPTED, how, log]);
  session = await greeted(
    await sessionWith({ words: [SCRIPTED, how], era: 'stateless' }, { surface, start, ...setup }),
    capabilities,
  );
}
const act = (id: number, what: string, more: JsonObject = {}): Promise<JsonObject> =>
  call(id, 'act', { what }, more);
const reached = (word: string): boolean => JSON.stringify(session.calls()).includes(word);

describe('a tool that its server serves as a task alone', () => {
  it('is called by a client without tasks, and answers like any other', async () => {
    session = await greeted(await sessionWith(TASKED));
    expect(textOf(await call(1, 'slow_compute'))).toBe('computed for 0 s');
    const [failed, again] = [await call(2, 'failing_job'), await call(3, 'failing_job')];
    expect([textOf(failed), (failed.result as JsonObject).isError, textOf(again)]).toEqual([
      'it did not work',
      true,
      'it did not work',
    ]);
    const { code, message } = (await call(4, 'protocol_error_job')).error as JsonObject;
    expect([code, message]).toEqual([-32603, 'it broke']);
    const records = await session.records();
    // Asked for once for each tool, and followed each time; what is no task is called as ever.
    expect(roundsIn(records)).toEqual([
      [EXTENSION],
      ['tasks/get'],
      ['tasks/get'],
      [EXTENSION],
      ['tasks/get'],
    ]);
    const ofCalls = records.filter(({ method }) => method === 'tools/call');
    const kinds = (kind: string): unknown[] =>
      ofCalls.filter((one) => one.kind === kind).map(({ outcome }) => outcome);
    expect(kinds('request.forwarded').length).toBe(4);
    expect(kinds('request.finished')).toEqual(['ok', 'error', 'error', 'error']);
  });

  it('asks its client by requests, each once, and goes on with the answers', async () => {
    session = await greeted(await sessionWith(TASKED));
    for (const [id, name, said, questions] of [
      [1, 'confirm_delete', 'deleted: accept', 1],
      [2, 'multi_input', 'first second', 2],
      [3, 'test_tool_with_task', 'Hello, Ann', 1],
    ] as const) {
      const before = new Set(session.received);
      const answer = call(id, name);
      for (let at = 0; at < questions; at++) {
        const asked = await session.next((one) => isAsk(one) && !before.has(one));
        before.add(asked);
        session.send({ id: asked.id as string, result: ANN });
      }
      expect(textOf(await answer)).toBe(said);
    }
    const records = await session.records();
    const asked = records.filter(
      ({ kind, method }) => kind === 'request.forwarded' && method === 'elicitation/create',
    );
    expect(asked.map(({ call: of }) => of?.replace(/^.*\/(\d+)\/s-.*$/, '$1'))).toEqual(['1', '2', '2', '3']);
  });

  it('is not answered for a client that cannot be asked; the server is told', async () => {
    await scripted('tasks', {}, {});
    const answer = act(1, 'make one');
    await act(2, 'settle one asks');
    expect(codeOf(await answer)).toBe('ROUND_REFUSED');
    await expect.poll(() => reached('tasks/cancel')).toBe(true);
    expect(session.received.some(isAsk)).toBe(false);
  });
});

describe('a call that a server makes a task of unasked', () => {
  it('is answered with what the task ends in, under the id of the call, in the very bytes', async () => {
    await scripted();
    const answer = act(1, 'make one', { _meta: { progressToken: 'p' } });
    await act(2, 'settle one says {"statusMessage":"half way"}');
    const told = await session.next(({ method }) => method === 'notifications/progress');
    expect(told.params).toMatchObject({ progressToken: 'p', message: 'half way' });
    await act(3, 'settle one ends {"z":1,"content":[{"type":"text","text":"done"}],"a":2}');
    expect(JSON.stringify((await answer).result)).toBe(
      '{"z":1,"content":[{"type":"text","text":"done"}],"a":2}',
    );
    const records = await session.records();
    const [forwarded] = records.filter(
      ({ kind, method }) => kind === 'request.forwarded' && method === 'tools/call',
    );
    const ends = records.filter((one) => one.kind === 'request.finished' && one.call === forwarded?.call);
    expect(ends).toMatchObject([{ outcome: 'ok', target: 'act' }]);
  });

  it('is cancelled at its server when its client cancels it', async () => {
    await scripted();
    session.send({ id: 1, method: 'tools/call', params: { name: 'act', arguments: { what: 'make one' } } });
    await expect.poll(() => reached('tasks/get')).toBe(true);
    session.send({ method: 'notifications/cancelled', params: { requestId: 1 } });
    await expect.poll(() => reached('tasks/cancel')).toBe(true);
    expect(textOf(await act(2, 'nothing'))).toBe('did nothing');
    expect(session.received.some(({ id }) => id === 1)).toBe(false);
  });

  it('is cancelled at its server where its client did before it became one', async () => {
    await scripted();
    session.send({
      id: 1,
      method: 'tools/call',
      params: { name: 'act', arguments: { what: 'make late one' } },
    });
    await expect.poll(() => reached('make late')).toBe(true);
    session.send({ method: 'notifications/cancelled', params: { requestId: 1 } });
    await expect.poll(() => reached('tasks/cancel')).toBe(true);
    // No task is known by then that anybody could have asked after.
    expect(reached('tasks/get')).toBe(false);
  });

  it('is over, for the server as well, when it takes longer than a call may', async () => {
    await scripted('tasks', { callMs: 400 });
    expect(codeOf(await act(1, 'make one'))).toBe('SERVER_SILENT');
    await expect.poll(() => reached('tasks/cancel')).toBe(true);
  });

  it('is not asked for by a client with a session: each such word is refused by name, with a record', async () => {
    await scripted();
    const refused = [
      await act(1, 'make one', { task: {} }),
      await session.request(2, 'tasks/list'),
      await session.request(3, 'tasks/get', { taskId: 'one' }),
    ];
    expect(refused.map(codeOf)).toEqual(['METHOD_REFUSED', 'METHOD_REFUSED', 'METHOD_REFUSED']);
    await session.close();
    const records = (await session.records()).filter(({ kind }) => kind === 'request.refused');
    expect(records.map(({ method, code }) => [method, code])).toEqual(
      ['tools/call', 'tasks/list', 'tasks/get'].map((method) => [method, 'METHOD_REFUSED']),
    );
    expect(reached('make one') || reached('tasks/')).toBe(false);
  });

  it('does not bring what its tool may not say', async () => {
    await scripted('tasks schema');
    const answer = act(1, 'make unfit');
    session.send({
      id: 2,
      method: 'tools/call',
      params: { name: 'act', arguments: { what: 'settle unfit ends' } },
    });
    expect(codeOf(await answer)).toBe('RESULT_INVALID');
    expect(JSON.stringify(session.received)).not.toContain('done unfit');
  });
});

describe('a tool that a server with sessions serves as a task alone', () => {
  const asking = { elicitation: {} };
  /** Its client is of the stateless era. */
  const open = async (setup: SessionSetup = {}): Promise<void> => {
    const surface = await capture([SCRIPTED, 'tasks required']);
    session = await startSession({ how: 'tasks required', surface, ...setup });
  };
  const ask = (
    id: number,
    what: string,
    more: JsonObject = {},
    capabilities: JsonObject = {},
  ): Promise<JsonObject> => {
    const { _meta, ...rest } = more;
    const meta = { ...envelopeWith(capabilities), ...(_meta as JsonObject) };
    return act(id, what, { ...rest, _meta: meta });
  };
  const related = { [`${META}related-task`]: { taskId: 'one' } };

  it('is called as one, and its result is the answer; what is said for the task is said for the call', async () => {
    await open();
    const answer = ask(1, 'make one', { _meta: { progressToken: 'p' } });
    await expect.poll(() => reached('tasks/result')).toBe(true);
    const progress = {
      method: 'notifications/progress',
      params: { progressToken: 'p', progress: 1, _meta: related },
    };
    await ask(2, `tell ${JSON.stringify({ jsonrpc: '2.0', ...progress })}`);
    await ask(3, 'settle one ends');
    expect(textOf(await answer)).toBe('done one');
    const told = session.received.find(({ method }) => method === 'notifications/progress');
    expect(told?.params).toEqual({ progressToken: 'p', progress: 1 });
    expect(JSON.stringify(await answer)).not.toContain('related-task');
    const records = await session.records();
    expect(roundsIn(records)).toEqual([['tasks/result']]);
    const [forwarded] = records.filter(({ kind }) => kind === 'request.forwarded');
    const ends = records.filter((one) => one.kind === 'request.finished' && one.call === forwarded?.call);
    expect(ends).toMatchObject([{ method: 'tools/call', outcome: 'ok', target: 'act' }]);
  });

  it('asks the client of its own call, however many are open', async () => {
    await open();
    const answer = ask(1, 'make one', {}, asking);
    await expect.poll(() => reached('tasks/result')).toBe(true);
    const other = ask(2, 'never', {}, asking);
    await expect.poll(() => reached('never')).toBe(true);
    const question = (taskId: string): string => {
      const params = { message: 'Who?', requestedSchema: {}, _meta: { [`${META}related-task`]: { taskId } } };
      return `tell ${JSON.stringify({ jsonrpc: '2.0', id: `q-${taskId}`, method: 'elicitation/create', params })}`;
    };
    await ask(3, question('foreign'));
    await ask(4, question('one'));
    const { resultType, inputRequests, requestState } = (await answer).result as JsonObject;
    expect([resultType, inputRequests]).toEqual([
      'input_required',
      { 'input-1': { method: 'elicitation/create', params: { message: 'Who?', requestedSchema: {} } } },
    ]);
    const again = ask(
      5,
      'make one',
      { requestState, inputResponses: { 'input-1': ANN } } as JsonObject,
      asking,
    );
    await expect.poll(() => reached('q-one')).toBe(true);
    await ask(6, 'settle one ends');
    expect(textOf(await again)).toBe('done one');
    session.send({ method: 'notifications/cancelled', params: { requestId: 2 } });
    void other.catch(() => undefined);
    const refused = (await session.records()).filter(({ kind }) => kind === 'request.refused');
    expect(refused).toMatchObject([{ direction: 'to-client', code: 'TASK_UNKNOWN' }]);
  });

  it.each(['its client', 'its time'])('is ended at its server when %s says so', async (who) => {
    await open(who === 'its time' ? { callMs: 400 } : {});
    session.send({
      id: 1,
      method: 'tools/call',
      params: { name: 'act', arguments: { what: 'make one' }, _meta: envelopeWith({}) },
    });
    if (who === 'its client') {
      await expect.poll(() => reached('tasks/result')).toBe(true);
      session.send({ method: 'notifications/cancelled', params: { requestId: 1 } });
    }
    await expect.poll(() => reached('tasks/cancel')).toBe(true);
  });

  it('is ended at its server where its client left before it became one', async () => {
    await open();
    const params = { name: 'act', arguments: { what: 'make late one' }, _meta: envelopeWith({}) };
    session.send({ id: 1, method: 'tools/call', params });
    await expect.poll(() => reached('make late')).toBe(true);
    session.send({ method: 'notifications/cancelled', params: { requestId: 1 } });
    await expect.poll(() => reached('tasks/cancel')).toBe(true);
    expect(reached('tasks/result')).toBe(false);
  });

  it('does not bring what it may not say, nor a task of another shape', async () => {
    await open({ content: { secrets: 'block' } });
    const answer = ask(1, 'make leak');
    await expect.poll(() => reached('tasks/result')).toBe(true);
    const secret = `ghp_${'a1B2c3D4e5F6'.repeat(3)}`;
    const said = `\\u00${secret.charCodeAt(6).toString(16)}`;
    const text = `${secret.slice(0, 6)}${said}${secret.slice(7)}`;
    await ask(2, `settle leak ends {"content":[{"type":"text","text":"${text}"}]}`);
    expect(codeOf(await answer)).toBe('CONTENT_BLOCKED');
    expect(codeOf(await ask(3, 'make two 1000 resting'))).toBe('RESULT_INVALID');
  });
});

describe('what a server says of a task', () => {
  const state = { taskId: 'one', status: 'working', pollIntervalMs: 1 };

  /** One call that became a task, and each look at it, which the test answers. */
  function follow(first: JsonObject): {
    readonly said: Promise<{ id: string; method: string; params: JsonObject }>;
    readonly hear: (id: string, answer: JsonObject) => void;
    readonly ended: Message[];
    readonly error: unknown;
    readonly heard: () => number | undefined;
  } {
    const journal = { note: () => undefined, append: async () => undefined, key: Buffer.alloc(32) };
    const scribe = {
      caller: { user: 'grace', via: 'nobody', teams: [] },
      journal,
      session: 's',
      subject: null,
    };
    const exchange = new Exchange({ scribe } as unknown as ExchangeOptions);
    const made = { id: 7, method: 'tools/call', target: 'act', call: 's/1' };
    const pending = { ...made, rule: {}, since: 0 } as { heard?: number } & typeof made;
    exchange.fromClient.set(idKey(7), pending as never);
    const ended: Message[] = [];
    let tell: (said: { id: string; method: string; params: JsonObject }) => void = () => undefined;
    const said = new Promise<{ id: string; method: string; params: JsonObject }>((resolve) => {
      tell = resolve;
    });
    const following = new Following({ exchange, heard: () => undefined } as unknown as BridgeOptions, {
      notes: new Notes(exchange),
      say: (id, method, params) => tell({ id, method, params }),
      ask: () => undefined,
      ended: (_call, answer) => void ended.push(answer),
    });
    const of: Call = { ...made, bytes: null, declares: true, task: null, upstream: 7, round: 0 };
    const error = following.begin(of, first);
    const hear = (id: string, answer: JsonObject): void => {
      following.heard(parseMessage(Buffer.from(JSON.stringify({ jsonrpc: '2.0', id, ...answer }))));
    };
    return { said, hear, ended, error, heard: () => pending.heard };
  }

  it.each<[string, JsonObject]>([
    ['no id', { ...state, taskId: '' }],
    ['an endless id', { ...state, taskId: 'x'.repeat(5000) }],
    ['a state that is not known', { ...state, status: 'resting' }],
    ['a result at once', { ...state, result: { content: [] } }],
  ])('begins with %s: it is not followed', (_what, first) => {
    const { error, ended } = follow(first);
    expect(error).toMatchObject({ code: 'RESULT_INVALID' });
    expect(ended).toEqual([]);
  });

  it.each<[string, JsonObject, string]>([
    ['another task', { taskId: 'two', status: 'completed', result: {} }, 'RESULT_INVALID'],
    ['no state', {}, 'RESULT_INVALID'],
    ['a state that is not known', { ...state, status: 'resting' }, 'RESULT_INVALID'],
    ['a result of another kind', { ...state, resultType: 'task' }, 'RESULT_INVALID'],
    ['an end without a result', { ...state, status: 'completed' }, 'RESULT_INVALID'],
    ['an end in a text', { ...state, status: 'completed', result: 'x' }, 'RESULT_INVALID'],
    ['a failure without an error', { ...state, status: 'failed' }, 'RESULT_INVALID'],
    ['that it was cancelled', { ...state, status: 'cancelled' }, 'TASK_ENDED'],
  ])('shows %s: the call ends in a sentence', async (_what, result, code) => {
    const { said, hear, ended } = follow(state);
    const { id, method, params } = await said;
    expect([method, params]).toEqual(['tasks/get', { taskId: 'one' }]);
    hear(id, { result });
    expect(ended).toMatchObject([{ id: 7, kind: 'error', error: { data: { code } } }]);
    // Said twice, it is nothing.
    hear(id, { result });
    expect(ended.length).toBe(1);
  });

  it('moves on: that is a sign of life of the call, and the same state again is none', async () => {
    for (const [lastUpdatedAt, alive] of [
      ['2026-01-01T00:00:01Z', true],
      [undefined, false],
    ] as const) {
      const { said, hear, heard } = follow(state);
      hear((await said).id, { result: { ...state, ...(lastUpdatedAt ? { lastUpdatedAt } : {}) } });
      expect(heard() !== undefined).toBe(alive);
    }
  });
});
