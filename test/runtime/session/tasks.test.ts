/** Tasks: made by a call that passed the gate, bound to whoever made them, fetched through the same checks. */
import { describe, expect, it } from 'vitest';
import { NOBODY_TO_ASK } from '../../../runtime/gate/people.ts';
import { Breaker } from '../../../runtime/lifecycle/breaker.ts';
import { FlowState } from '../../../runtime/policy/flows.ts';
import { openPolicy } from '../../../runtime/policy/open.ts';
import type { EgressEvent } from '../../../runtime/ports.ts';
import { Exchange, type ExchangeOptions } from '../../../runtime/session/exchange.ts';
import { Tasks } from '../../../runtime/session/tasks.ts';
import type { AuditBody } from '../../../schemas/audit.ts';
import type { JsonObject } from '../../../schemas/common.ts';
import { sha256 } from '../../../schemas/json.ts';
import type { Era, Surface } from '../../../schemas/surface.ts';
import { envelopeWith, inBothEras, textOf } from '../../helpers/eras.ts';
import {
  capture,
  codeOf,
  openSession,
  plainProcess,
  type Running,
  SCRIPTED,
  type SessionSetup,
  startSession,
} from '../../helpers/session.ts';

const META = 'io.modelcontextprotocol/';
const EXTENSION = { extensions: { [`${META}tasks`]: {} } };
const ERAS = ['session', 'stateless'] as const;

const surfaceOf = async (how: string): Promise<Surface> => inBothEras(await capture([SCRIPTED, how]));

/** One client in one era, which says what that era takes to have a call made a task. */
class Client {
  readonly session: Running;
  readonly era: Era;
  #count = 10;

  constructor(session: Running, era: Era) {
    this.session = session;
    this.era = era;
  }

  ask(method: string, params: JsonObject = {}, capabilities: JsonObject = EXTENSION): Promise<JsonObject> {
    const _meta =
      this.era === 'stateless'
        ? { _meta: { ...envelopeWith(capabilities), ...(params._meta as JsonObject) } }
        : {};
    return this.session.request(++this.#count, method, { ...params, ..._meta });
  }

  act(what: string, more: JsonObject = {}): Promise<JsonObject> {
    return this.ask('tools/call', { name: 'act', arguments: { what }, ...more });
  }

  async make(id: string, life = 60_000, more: JsonObject = {}): Promise<JsonObject> {
    return this.act(`make ${id} ${life}`, this.era === 'session' ? { task: {}, ...more } : more);
  }

  /** What its tool said in the end, by this era's own request. */
  fetch(taskId: string): Promise<JsonObject> {
    return this.ask(this.era === 'session' ? 'tasks/result' : 'tasks/get', { taskId });
  }
}

/** As a stateless client has them of a server that speaks sessions alone. */
const ACROSS = 'stateless, of a session';
type Way = Era | typeof ACROSS;
const WAYS: readonly Way[] = [...ERAS, ACROSS];

async function open(way: Way, setup: SessionSetup & { readonly how?: string } = {}): Promise<Client> {
  const how = setup.how ?? 'tasks';
  const era = way === ACROSS ? 'stateless' : way;
  const shown = setup.surface ?? (await surfaceOf(how));
  const surface: Surface =
    way === ACROSS ? { ...shown, capture: { ...shown.capture, eras: ['session'] } } : shown;
  const options = { how, ...setup, surface };
  return new Client(era === 'session' ? await openSession(options) : await startSession(options), era);
}

const policyOf = (text: string): NonNullable<SessionSetup['policy']> => {
  return ({ entry, surface }) => ({
    policy: openPolicy({
      text,
      digest: sha256(text),
      environment: 'development',
      entries: new Map([['weather', entry]]),
      surfaces: new Map([['weather', surface]]),
    }),
    server: 'weather',
    flow: new FlowState(),
    approvals: NOBODY_TO_ASK,
  });
};

const reached = ({ session }: Client, word: string): boolean =>
  JSON.stringify(session.calls().filter((call) => call.call === undefined)).includes(word);
const finished = async ({ session }: Client): Promise<AuditBody[]> =>
  (await session.records()).filter(({ kind }) => kind === 'task.finished');
const resultOf = (answer: JsonObject): JsonObject => (answer.result ?? {}) as JsonObject;

describe.each(WAYS)('a task, %s', (way) => {
  const era = way === ACROSS ? 'stateless' : way;
  const inside = (answer: JsonObject): JsonObject =>
    (era === 'session' ? resultOf(answer) : resultOf(answer).result) as JsonObject;

  it('is made, looked at, and brings its result, with an outcome of its own that names the call', async () => {
    const client = await open(way);
    const made = resultOf(await client.make('one'));
    expect(era === 'session' ? (made.task as JsonObject).taskId : made.taskId).toBe('one');
    expect(resultOf(await client.ask('tasks/get', { taskId: 'one' })).status).toBe('working');
    await client.act('settle one ends');
    expect(textOf(inside(await client.fetch('one')))).toBe('done one');
    expect(textOf(inside(await client.fetch('one')))).toBe('done one');
    const records = await client.session.records();
    const call = records.find(({ arguments: args }) => JSON.stringify(args)?.includes('make one'))?.call;
    const ends = records.filter(({ kind }) => kind === 'task.finished');
    expect(ends).toMatchObject([{ method: 'tools/call', target: 'act', call, outcome: 'ok' }]);
    const fetches = records.filter(
      ({ method, kind }) => method?.startsWith('tasks/') && kind === 'request.forwarded',
    );
    expect(fetches.length).toBe(3);
    expect(
      fetches.every(({ target, detail }) => target === 'act' && (detail as JsonObject).task === call),
    ).toBe(true);
    await client.session.close();
  });

  it('of nobody, of others, of an era that has no such method: refused by name, and not asked for', async () => {
    const client = await open(way);
    await client.make('one');
    const methods = era === 'session' ? ['get', 'result', 'cancel'] : ['get', 'update', 'cancel'];
    for (const method of methods)
      for (const taskId of ['foreign', 'forged', 7, null, 'x'.repeat(5000)]) {
        const answer = await client.ask(`tasks/${method}`, { taskId: taskId as never, inputResponses: {} });
        expect([codeOf(answer), (answer.error as JsonObject).code]).toEqual(['TASK_UNKNOWN', -32602]);
      }
    for (const method of era === 'session' ? ['update'] : ['list', 'result'])
      expect(codeOf(await client.ask(`tasks/${method}`, { taskId: 'one' }))).toBe('METHOD_REFUSED');
    const related = { _meta: { [`${META}related-task`]: { taskId: 'foreign' } } };
    expect(codeOf(await client.act('nothing', related))).toBe('TASK_UNKNOWN');
    expect(['foreign', 'forged', 'tasks/'].map((word) => reached(client, word))).toEqual([
      false,
      false,
      false,
    ]);
    const codes = (await client.session.records())
      .filter(({ kind }) => kind === 'request.refused')
      .map(({ code }) => code);
    expect(codes.filter((code) => code === 'TASK_UNKNOWN').length).toBe(16);
    await client.session.close();
  });

  it('is not there where the lock has none, whatever the server shows', async () => {
    const client = await open(way, { surface: inBothEras(await capture([SCRIPTED])), how: 'good' });
    if (era === 'session') expect(codeOf(await client.make('one'))).toBe('METHOD_REFUSED');
    expect(codeOf(await client.ask('tasks/get', { taskId: 'one' }))).toBe('METHOD_REFUSED');
    const calls = JSON.stringify(client.session.calls());
    expect(calls).not.toContain('make one');
    await client.session.close();
  });

  it('ends when it is cancelled, which is recorded', async () => {
    const client = await open(way);
    await client.make('one');
    const answer = await client.ask('tasks/cancel', { taskId: 'one' });
    expect(resultOf(answer)).toMatchObject(
      era === 'session' ? { status: 'cancelled' } : { resultType: 'complete' },
    );
    expect(await finished(client)).toMatchObject([{ outcome: 'lost', message: 'cancelled by the client' }]);
    expect(resultOf(await client.ask('tasks/get', { taskId: 'one' })).status).toBe('cancelled');
    expect((await finished(client)).length).toBe(1);
    await client.session.close();
  });

  it('is known for its life and no longer', async () => {
    const client = await open(way);
    await client.make('short', 1);
    await expect.poll(async () => (await finished(client)).map(({ outcome }) => outcome)).toEqual(['lost']);
    expect(codeOf(await client.fetch('short'))).toBe('TASK_UNKNOWN');
    expect(reached(client, 'short')).toBe(false);
    await client.session.close();
  });

  it('is lost with its server, and its id with it', async () => {
    const client = await open(way);
    await client.make('one');
    await client.session.close();
    expect(await finished(client)).toMatchObject([{ outcome: 'lost', target: 'act' }]);
  });

  it('does not bring what its tool may not say', async () => {
    const client = await open(way, { how: 'tasks schema' });
    await client.make('unfit');
    await client.make('fit');
    await client.act('settle unfit ends');
    await client.act('settle fit ends {"content":[],"structuredContent":{"said":"x"}}');
    const answer = await client.fetch('unfit');
    expect(codeOf(answer)).toBe('RESULT_INVALID');
    expect(JSON.stringify(answer)).not.toContain('done unfit');
    expect(inside(await client.fetch('fit')).structuredContent).toEqual({ said: 'x' });
    expect((await finished(client)).map(({ outcome, code }) => [outcome, code])).toEqual([
      ['refused', 'RESULT_INVALID'],
      ['ok', undefined],
    ]);
    await client.session.close();
  });

  it('brings no secret and no order where those are kept back', async () => {
    const client = await open(way, { content: { secrets: 'block' } });
    await client.make('leak');
    const secret = `ghp_${'a1B2c3D4e5F6'.repeat(3)}`;
    // In two parts, so that the call itself may pass.
    await client.act(
      `settle leak ends {"content":[{"type":"text","text":"${secret.slice(0, 6)}\\u00${secret.charCodeAt(6).toString(16)}${secret.slice(7)}"}]}`,
    );
    const answer = await client.fetch('leak');
    expect(codeOf(answer)).toBe('CONTENT_BLOCKED');
    expect(await finished(client)).toMatchObject([{ outcome: 'refused', code: 'CONTENT_BLOCKED' }]);
    await client.session.close();
  });

  it('is fetched only while its call would be permitted', async () => {
    let open_ = true;
    const text = 'anyone: all locked tools\n';
    const policy: NonNullable<SessionSetup['policy']> = (locked) => {
      const made = policyOf(text)(locked);
      const { policy: inner } = made;
      const judge: typeof inner.judge = (call) =>
        open_ || JSON.stringify(call.arguments) !== '{"what":"make one 60000"}'
          ? inner.judge(call)
          : { effect: 'deny', rule: 'closed meanwhile' };
      return {
        ...made,
        policy: {
          digest: inner.digest,
          remembers: inner.remembers,
          judge,
          bounded: inner.bounded.bind(inner),
          canSee: inner.canSee.bind(inner),
          reads: inner.reads.bind(inner),
          sends: inner.sends.bind(inner),
        },
      };
    };
    const client = await open(way, { policy });
    await client.make('one');
    open_ = false;
    const [get, fetch] = [await client.ask('tasks/get', { taskId: 'one' }), await client.fetch('one')];
    expect([codeOf(get), codeOf(fetch)]).toEqual(['POLICY_REFUSED', 'POLICY_REFUSED']);
    expect(reached(client, 'tasks/')).toBe(false);
    const params = { taskId: 'one', status: 'working' };
    const status = { jsonrpc: '2.0', method: 'notifications/tasks/status', params };
    const tell = (): Promise<JsonObject> => client.act(`tell ${JSON.stringify(status)}`);
    const isTold = (): boolean => client.session.received.some(({ method }) => method === status.method);
    await tell();
    expect(isTold()).toBe(false);
    open_ = true;
    await tell();
    expect(isTold()).toBe(era === 'session');
    expect(resultOf(await client.ask('tasks/get', { taskId: 'one' })).status).toBe('working');
    await client.session.close();
  });

  it('is one of few that are not over', async () => {
    const client = await open(way);
    const made = await Promise.all(Array.from({ length: 128 }, (_, at) => client.make(`t${at}`)));
    expect(made.every(({ result }) => result !== undefined)).toBe(true);
    expect(codeOf(await client.make('marked'))).toBe('RATE_LIMITED');
    expect(JSON.stringify(client.session.calls())).not.toContain('marked');
    await client.ask('tasks/cancel', { taskId: 't0' });
    expect((await client.make('more')).result).toBeDefined();
    await client.session.close();
  });

  it('that is done as soon as it is made is open until its result is fetched', async () => {
    const client = await open(way);
    const ask = era === 'session' ? { task: {} } : {};
    expect((await client.act('make one 60000 completed', ask)).result).toBeDefined();
    await client.act('nothing');
    expect(await finished(client)).toEqual([]);
    expect(textOf(inside(await client.fetch('one')))).toBe('done one');
    const [end] = await finished(client);
    expect([end?.outcome, (end?.bytes ?? 0) > 0]).toEqual(['ok', true]);
    await client.session.close();
  });

  it('has an end of its own when its id is given again after its time', async () => {
    const client = await open(way);
    await Promise.all([client.make('short', 0), client.make('short', 0), client.make('short', 0)]);
    await expect.poll(async () => (await finished(client)).length).toBe(3);
    await client.session.close();
  });

  it('that a server names twice, or makes unasked, is none', async () => {
    const client = await open(way);
    await client.make('one');
    expect(codeOf(await client.make('one'))).toBe('RESULT_INVALID');
    const unasked =
      era === 'session'
        ? await client.act('make two')
        : await client.ask('tools/call', { name: 'act', arguments: { what: 'make two' } }, {});
    expect(codeOf(unasked)).toBe('RESULT_INVALID');
    expect(codeOf(await client.ask('tasks/get', { taskId: 'two' }))).toBe('TASK_UNKNOWN');
    await client.session.close();
  });
});

describe('a task of a stateless server', () => {
  it('is refused by name to a client with a session, and not offered; what becomes one unasked is a call', async () => {
    const shown = await surfaceOf('tasks');
    const client = await open('session', {
      surface: { ...shown, capture: { ...shown.capture, eras: ['stateless'] } },
    });
    const said = client.session.received.find(({ id }) => id === 0);
    expect(JSON.stringify(said)).toContain('"capabilities"');
    expect(JSON.stringify(said)).not.toContain('tasks');
    expect(codeOf(await client.act('make one', { task: {} }))).toBe('METHOD_REFUSED');
    for (const method of ['get', 'result', 'cancel', 'list', 'update'])
      expect(codeOf(await client.ask(`tasks/${method}`, { taskId: 'foreign' }))).toBe('METHOD_REFUSED');
    expect(JSON.stringify(client.session.calls())).not.toContain('make one');
    await client.session.close();
  });
});

describe('a task of a server with sessions', () => {
  it('asks its stateless client with its state, once each, and takes the answers', async () => {
    const client = await open(ACROSS);
    const offered = resultOf(await client.ask('server/discover')).capabilities as JsonObject;
    expect([offered.tasks, offered.extensions]).toEqual([undefined, EXTENSION.extensions]);
    await client.make('one');
    const able = { ...EXTENSION, elicitation: {} };
    const put = async (id: string, method: string, more: JsonObject = {}): Promise<JsonObject> => {
      const params = { message: id, _meta: { [`${META}related-task`]: { taskId: 'one' } }, ...more };
      return client.act(`tell ${JSON.stringify({ jsonrpc: '2.0', id, method, params })}`);
    };
    await put('q1', 'elicitation/create');
    await put('q2', 'elicitation/create', { task: {} });
    await put('q3', 'client/secrets');
    const look = (declared: JsonObject): Promise<JsonObject> =>
      client.ask('tasks/get', { taskId: 'one' }, declared);
    // Who did not declare that it can be asked is not.
    expect(codeOf(await look(EXTENSION))).toBe('RESULT_INVALID');
    const state = resultOf(await look(able));
    expect([state.status, state.ttlMs, state.pollIntervalMs, state.ttl]).toEqual([
      'input_required',
      60_000,
      100,
      undefined,
    ]);
    expect(state.inputRequests).toEqual({
      'input-1': { method: 'elicitation/create', params: { message: 'q1' } },
    });
    const inputResponses = { 'input-1': { action: 'accept' }, 'input-2': { action: 'accept' } };
    for (let times = 0; times < 2; times++)
      expect(resultOf(await client.ask('tasks/update', { taskId: 'one', inputResponses })).resultType).toBe(
        'complete',
      );
    await client.act('settle one asks');
    expect(resultOf(await look(able))).toMatchObject({ status: 'input_required', inputRequests: {} });
    // Its result is waited for, as that is where many servers ask.
    await expect.poll(() => reached(client, 'tasks/result')).toBe(true);
    const answers = client.session.calls().flatMap(({ answer }) => (answer ? [answer as JsonObject] : []));
    expect(answers.map(({ id, result }) => [id, result !== undefined])).toEqual([
      ['q2', false],
      ['q3', false],
      ['q1', true],
    ]);
    await client.session.close();
  });

  it('ends in nothing that is deeper than what is read: it is refused, and the session goes on', async () => {
    const client = await open(ACROSS);
    await client.make('one');
    const deep = (levels: number): string =>
      `{"content":[],"deep":${'['.repeat(levels)}${']'.repeat(levels)}}`;
    for (const [levels, code] of [
      [61, undefined],
      [62, 'RESULT_INVALID'],
    ] as const) {
      await client.act(`settle one ends ${deep(levels)}`);
      expect(codeOf(await client.fetch('one'))).toBe(code);
    }
    await client.session.close();
  });

  it('fails as its server says, in the very words', async () => {
    const client = await open(ACROSS);
    await client.make('one');
    await client.act('settle one ends {"z":1,"content":[{"type":"text","text":"no"}],"isError":true}');
    const { status, result } = resultOf(await client.fetch('one'));
    expect([status, JSON.stringify(result)]).toMatchObject([
      'completed',
      expect.stringMatching(/^{"z":1,"content":.*"isError":true/),
    ]);
    expect(await finished(client)).toMatchObject([{ outcome: 'error' }]);
    await client.session.close();
  });
});

describe('a server with a task', () => {
  it('does not rest, and what it connects to is the task’s', async () => {
    const keeping = { onDemand: true, breaker: new Breaker(), probes: null, idleMs: 300 };
    const states: string[] = [];
    const heard: ((event: EgressEvent) => Promise<void>)[] = [];
    const client = await open('session', {
      keeping,
      onState: ({ to }) => void states.push(to),
      start: (log, record) => {
        heard.push(record);
        return plainProcess([SCRIPTED, 'tasks', log]);
      },
    });
    await client.make('one');
    await new Promise((resolve) => setTimeout(resolve, 900));
    expect(states).not.toContain('DRAINING');
    const event = {
      host: 'a.example',
      port: 443,
      via: 'proxy',
      outcome: 'allowed',
      reason: 'permitted',
    } as const;
    await heard[0]?.(event as unknown as EgressEvent);
    await client.ask('tasks/cancel', { taskId: 'one' });
    await expect.poll(() => states).toContain('DRAINING');
    const records = await client.session.records();
    const made = records.find(({ kind, method }) => kind === 'request.forwarded' && method === 'tools/call');
    expect(records.find(({ kind }) => kind === 'egress.allowed')?.call).toBe(made?.call);
    const end = records.find(({ kind }) => kind === 'task.finished');
    expect(end?.data).toEqual(['a.example:443']);
    await client.session.close();
  });
});

describe('a task of a session', () => {
  it('is asked for only where the locked tool allows it', async () => {
    const client = await open('session');
    const echo = { name: 'echo', arguments: { message: 'marked' } };
    const answer = await client.ask('tools/call', { ...echo, task: { ttl: 1000 } });
    expect([codeOf(answer), (answer.error as JsonObject).code]).toEqual(['METHOD_REFUSED', -32601]);
    expect(codeOf(await client.act('make one', { task: { ttl: -1 } }))).toBe('FRAME_INVALID');
    expect(codeOf(await client.act('make one', { task: 'yes' }))).toBe('FRAME_INVALID');
    expect(client.session.calls()).toEqual([]);
    await client.session.close();
  });

  it('is listed without those of others', async () => {
    const client = await open('session');
    await client.make('one');
    const { tasks } = resultOf(await client.ask('tasks/list')) as { tasks: JsonObject[] };
    expect(tasks.map(({ taskId }) => taskId)).toEqual(['one']);
    const said = (await client.session.records()).flatMap(({ kind, message }) =>
      kind === 'response.refused' ? [message] : [],
    );
    expect(said.join()).toContain('1 tasks in a list');
    await client.session.close();
  });

  it('has its result waited for', async () => {
    const client = await open('session', { callMs: 1000 });
    await client.make('one');
    const waiting = client.fetch('one');
    // One that was asked later has had its time by then.
    expect(codeOf(await client.act('never'))).toBe('SERVER_SILENT');
    await client.act('settle one ends');
    expect(textOf(await waiting)).toBe('done one');
    await client.session.close();
  });

  it('may ask its client and tell of itself, and of no task but its own', async () => {
    const session = await startSession({ how: 'tasks', surface: await surfaceOf('tasks') });
    await session.request(0, 'initialize', {
      protocolVersion: '2025-11-25',
      capabilities: { elicitation: {} },
      clientInfo: { name: 't', version: '1' },
    });
    const client = new Client(session, 'session');
    const tell = (message: JsonObject): Promise<JsonObject> =>
      client.act(`tell ${JSON.stringify({ jsonrpc: '2.0', ...message })}`);
    const related = (taskId: string): JsonObject => ({ [`${META}related-task`]: { taskId } });
    const ask = (id: string, params: JsonObject): Promise<JsonObject> =>
      tell({ id, method: 'elicitation/create', params: { message: 'Who?', requestedSchema: {}, ...params } });
    await client.make('one', 60_000, { _meta: { progressToken: 'p' } });
    await ask('q1', { _meta: related('one') });
    await ask('q2', { _meta: related('foreign') });
    await ask('q3', { task: { ttl: 1000 } });
    for (const taskId of ['one', 'foreign'])
      await tell({
        method: 'notifications/tasks/status',
        params: { taskId, status: 'working', note: `of ${taskId}` },
      });
    await tell({
      method: 'notifications/tasks',
      params: { taskId: 'one', status: 'working', note: 'stateless' },
    });
    for (const progressToken of ['p', 'z'])
      await tell({ method: 'notifications/progress', params: { progressToken, progress: 1 } });
    const heard = session.received.filter(({ method }) => method !== undefined);
    expect(
      heard.map(({ id, params }) => [id, (params as JsonObject).note, (params as JsonObject).progressToken]),
    ).toEqual([
      ['q1', undefined, undefined],
      [undefined, 'of one', undefined],
      [undefined, undefined, 'p'],
    ]);
    const asked = (await session.records()).find(
      ({ kind, method }) => kind === 'request.forwarded' && method === 'elicitation/create',
    );
    expect(asked?.call).toMatch(/\/1\/s-/);
    const answers = session.calls().flatMap(({ answer }) => (answer ? [answer as JsonObject] : []));
    expect(answers.map(({ id }) => id).sort()).toEqual(['q2', 'q3']);
    session.send({ id: 'q1', result: { action: 'accept', content: {}, _meta: related('foreign') } });
    await expect
      .poll(() => JSON.stringify(session.calls().find(({ answer }) => (answer as JsonObject)?.id === 'q1')))
      .toContain('TASK_UNKNOWN');
    await session.close();
  });
});

describe('a task of the stateless era', () => {
  it('is for clients that declare it, with each request', async () => {
    const client = await open('stateless');
    await client.make('one');
    for (const method of ['get', 'update', 'cancel']) {
      const answer = await client.ask(`tasks/${method}`, { taskId: 'one' }, {});
      const { code, data } = answer.error as { code: number; data: JsonObject };
      expect([code, data.requiredCapabilities]).toEqual([-32021, EXTENSION]);
    }
    expect(reached(client, 'tasks/')).toBe(false);
    await client.session.close();
  });

  it('asks by its state, and goes on with what its client says', async () => {
    const client = await open('stateless');
    await client.make('one');
    await client.act('settle one asks');
    expect(codeOf(await client.ask('tasks/get', { taskId: 'one' }))).toBe('RESULT_INVALID');
    const able = { ...EXTENSION, elicitation: {} };
    expect(resultOf(await client.ask('tasks/get', { taskId: 'one' }, able)).inputRequests).toBeDefined();
    const answer = await client.ask('tasks/update', {
      taskId: 'one',
      inputResponses: { who: { action: 'accept' } },
    });
    expect(resultOf(answer)).toEqual({ resultType: 'complete' });
    expect(reached(client, '"who"')).toBe(true);
    await client.session.close();
  });

  it('is listened to by its own client alone, and its result is judged there as well', async () => {
    const client = await open('stateless', { how: 'tasks schema' });
    const { session } = client;
    await client.make('one');
    const listen = (id: number, taskIds: string[], capabilities: JsonObject = EXTENSION): void =>
      session.send({
        id,
        method: 'subscriptions/listen',
        params: { notifications: { taskIds }, _meta: envelopeWith(capabilities) },
      });
    listen(501, ['one', 'foreign']);
    listen(502, ['one'], {});
    expect(codeOf(await session.next(({ id }) => id === 501))).toBe('TASK_UNKNOWN');
    expect(codeOf(await session.next(({ id }) => id === 502))).toBe('TASK_UNDECLARED');
    listen(500, ['one']);
    await session.next(({ method }) => method === 'notifications/subscriptions/acknowledged');
    const tell = (taskId: string, subscription: number | null, more: JsonObject): Promise<JsonObject> => {
      const _meta = subscription === null ? {} : { [`${META}subscriptionId`]: subscription };
      return client.act(
        `tell ${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/tasks', params: { taskId, status: 'working', ...more, _meta } })}`,
      );
    };
    await tell('foreign', 500, { note: 'a' });
    await tell('one', null, { note: 'b' });
    const inputRequests = { a: { method: 'elicitation/create', params: {} } };
    await tell('one', 500, { status: 'input_required', note: 'q', inputRequests });
    await tell('one', 500, { status: 'completed', note: 'c', result: { content: [] } });
    await tell('one', 500, {
      status: 'completed',
      note: 'd',
      result: { content: [], structuredContent: { said: 1 } },
    });
    const large = { content: [], structuredContent: { said: 'x'.repeat(300_000) } };
    await tell('one', 500, { status: 'completed', note: 'e', result: large });
    const heard = session.received.filter(({ method }) => method === 'notifications/tasks');
    expect(heard.map(({ params }) => (params as JsonObject).note)).toEqual(['d']);
    const kept = (await session.records()).map(({ kind, message }) => kind === 'response.refused' && message);
    expect(kept.filter(Boolean).join()).toContain('a large result in it');
    expect(await finished(client)).toMatchObject([{ outcome: 'refused', code: 'RESULT_INVALID' }]);
    session.send({ method: 'notifications/cancelled', params: { requestId: 500 } });
    await session.close();
  });
});

describe('calls behind tasks', () => {
  const MIB = 1024 * 1024;

  it('are few bytes in flight, and what is refused is not asked', async () => {
    const client = await open('session');
    const pad = ' '.repeat(6 * MIB);
    const never = { name: 'act', arguments: { what: 'never' }, task: {}, _meta: { pad } };
    for (const id of [1, 2]) client.session.send({ id, method: 'tools/call', params: never });
    expect(codeOf(await client.ask('tools/call', never))).toBe('RATE_LIMITED');
    for (const requestId of [1, 2])
      client.session.send({ method: 'notifications/cancelled', params: { requestId } });
    await client.act('nothing');
    await client.session.close();
    const made = client.session.calls().filter((call) => JSON.stringify(call).includes('never'));
    expect(made.length).toBe(2);
  });

  it('are held no longer than the call or its task, and are one call at work', () => {
    const scribe = { caller: { user: 'grace' }, journal: { note: () => undefined } };
    const exchange = new Exchange({ scribe } as unknown as ExchangeOptions);
    const rule = { item: { section: 'tools', parameter: 'name' } } as const;
    const making = { era: 'session', arguments: {}, bytes: 2, read: undefined, people: 0 } as const;
    const asked = { id: 1, method: 'tools/call', rule, target: 'act', since: 0, making };
    for (const call of ['s/1', 's/2']) {
      exchange.fromClient.set(call, { ...asked, call });
      exchange.fromClient.delete(call);
    }
    exchange.missed({ ...asked, call: 's/3' });
    expect(
      [...exchange.unheard.values(), ...exchange.atWork(0)].map((one) => [one.call, one.making]),
    ).toEqual(['s/3', 's/1', 's/2'].map((call) => [call, undefined]));
    const result = { task: { taskId: 'a', status: 'working' } };
    const answer = { kind: 'response', id: 1, result, bytes: Buffer.alloc(0) } as const;
    exchange.tasks.made({ ...asked, call: 's/2', since: performance.now() }, answer);
    expect(exchange.atWork(0).map(({ call }) => call)).toEqual(['s/1', 's/2']);
  });

  it('are at work as well while somebody asks after the task, and are what the connection is of', () => {
    const scribe = { caller: { user: 'hedy', teams: [] }, journal: { note: () => undefined } };
    const settled = (): void => undefined;
    const exchange = new Exchange({ scribe, settled } as unknown as ExchangeOptions);
    const since = performance.now();
    const making = { era: 'session', arguments: {}, bytes: 2, read: undefined, people: 0 } as const;
    const item = { section: 'tools', parameter: 'name' } as const;
    const asked = { id: 1, method: 'tools/call', rule: { item }, target: 'act', since, making, call: 's/1' };
    const result = { task: { taskId: 'a', status: 'working' } };
    exchange.tasks.made(asked, { kind: 'response', id: 1, result, bytes: Buffer.alloc(0) });
    const [task] = exchange.tasks.open;
    const rule = { task: 'result' } as const;
    const poll = { id: 2, method: 'tasks/result', rule, target: undefined, since, call: 's/2' };
    if (task) exchange.fromClient.set('n2', { ...poll, task });
    expect(exchange.atWork(undefined)).toEqual([task?.maker]);
    exchange.fromClient.delete('n2');
    expect(exchange.atWork(0)).toEqual([task?.maker]);
    // Over with its result: what was heard of late is of its call still.
    if (task) exchange.tasks.end(task, { outcome: 'ok', bytes: 2 });
    expect(exchange.atWork(0).map(({ call }) => call)).toEqual(['s/1']);
  });

  it('are few bytes of one user in all sessions, until those are over', () => {
    const rule = { item: { section: 'tools', parameter: 'name' } } as const;
    const asked = { id: 1, method: 'tools/call', rule, target: 'act', call: 's/1', since: performance.now() };
    const making = { era: 'session', arguments: {}, read: undefined, people: 0 } as const;
    const bookOf = (user: string): Tasks =>
      new Tasks({ user, ended: () => undefined, changed: () => undefined });
    const made = (book: Tasks, mib: number, taskId: string): void =>
      book.made(
        { ...asked, making: { ...making, bytes: mib * MIB } },
        { kind: 'response', id: 1, result: { task: { taskId, status: 'working' } }, bytes: Buffer.alloc(0) },
      );
    const books = Array.from({ length: 5 }, () => bookOf('erin'));
    const [one, two] = books as [Tasks, Tasks];
    for (const book of books.slice(0, 4)) {
      expect(book.hasRoom(15 * MIB, 0)).toBe(true);
      made(book, 15, 'a');
    }
    const last = books[4] as Tasks;
    expect([last.hasRoom(4 * MIB, 0), last.hasRoom(5 * MIB, 0), last.hasRoom(4 * MIB, MIB)]).toEqual([
      true,
      false,
      false,
    ]);
    expect(bookOf('frank').hasRoom(15 * MIB, 0)).toBe(true);
    one.lose('over');
    expect(last.hasRoom(15 * MIB, 0)).toBe(true);
    // Of what is over, little is kept.
    for (const id of ['b', 'c']) {
      const task = two.of(id === 'b' ? 'a' : 'b');
      if (task) two.end(task, { outcome: 'ok', bytes: 0 });
      made(two, 3, id);
    }
    expect([two.of('a'), two.of('b') !== null]).toEqual([null, true]);
    for (const book of books) book.lose('over');
  });
});
