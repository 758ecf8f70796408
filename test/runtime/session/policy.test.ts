import { describe, expect, it } from 'vitest';
import { liveSurface } from '../../../runtime/gate/surface.ts';
import { Breaker } from '../../../runtime/lifecycle/breaker.ts';
import { FlowState } from '../../../runtime/policy/flows.ts';
import { answerFor } from '../../../runtime/session/answers.ts';
import { encode, parseMessage, type Response } from '../../../runtime/wire/message.ts';
import type { AuditBody } from '../../../schemas/audit.ts';
import type { Json, JsonObject } from '../../../schemas/common.ts';
import { LockkeeperError } from '../../../schemas/errors.ts';
import { digestOf } from '../../../schemas/json.ts';
import { pinSurface, type Section, type Surface } from '../../../schemas/surface.ts';
import { People, sessionPolicy } from '../../helpers/policy.ts';
import {
  capture,
  codeOf,
  INITIALIZE,
  openSession,
  type Running,
  SCRIPTED,
  type SessionSetup,
  startSession,
} from '../../helpers/session.ts';
import { surface as base, makeEntry } from '../../helpers/trust.ts';

const open = (text: string, setup: SessionSetup = {}): Promise<Running> =>
  openSession({ user: 'erin', policy: (locked) => sessionPolicy(text, locked), ...setup });
const namesOf = (answer: JsonObject): string[] =>
  ((answer.result as { tools?: { name: string }[] }).tools ?? []).map(({ name }) => name);
const echo = { name: 'echo', arguments: { message: 'hi' } };
const act = { name: 'act', arguments: { what: 'it' } };
const kindsOf = async (session: Running): Promise<string[]> =>
  (await session.records()).map(({ kind }) => kind).filter((kind) => /^(?:call|request)\./.test(kind));

describe('lists and calls', () => {
  const onDemand = { onDemand: true, breaker: new Breaker(), probes: null, idleMs: null };
  it.each([
    ['', []],
    ['everyone: all locked tools', ['echo', 'act']],
    ['everyone: read tools', ['echo']],
    ['everyone: all locked tools\nuser erin: no destructive tools', ['echo']],
    ['everyone: all locked tools\nuser somebody: no destructive tools', ['echo', 'act']],
    ['everyone: tool act of the test server, where what is it', ['act']],
    ['everyone: all locked tools, in production', []],
  ])('%j shows exactly what may be called, from the server and from the lock alike', async (text, seen) => {
    for (const setup of [{}, { keeping: onDemand }]) {
      const session = await open(text, setup);
      expect(namesOf(await session.request(1, 'tools/list'))).toEqual(seen);
      const called: string[] = [];
      for (const [index, call] of [echo, act].entries()) {
        const answer = await session.request(10 + index, 'tools/call', call);
        if (codeOf(answer) === undefined) called.push(call.name);
        else expect(codeOf(answer)).toBe('POLICY_REFUSED');
      }
      expect(called).toEqual(seen);
      expect(session.calls().map(({ call }) => (call as JsonObject).name)).toEqual(seen);
      await session.close();
    }
  });

  it('completing is judged as the use: what may not be asked with does not reach the server, what may not come is left out', async () => {
    const completes = async (text: string, value: string): Promise<[Json | undefined, number]> => {
      const session = await open(text, { how: 'completes', surface: await capture([SCRIPTED, 'completes']) });
      const params = { ref: { type: 'ref/prompt', name: 'greet' }, argument: { name: 'who', value } };
      const { result, ...answer } = await session.request(1, 'completion/complete', params);
      await session.close();
      const asked = session.calls().filter(({ completed }) => completed !== undefined).length;
      return [(result as JsonObject | undefined)?.completion ?? (codeOf(answer) as string), asked];
    };
    const all = 'everyone: everything locked';
    expect(await completes(all, 'a')).toEqual([{ values: ['ada', 'bob'] }, 1]);
    expect(
      await completes(`${all}\neveryone: not prompt greet of the test server, where who is bob`, 'b'),
    ).toEqual([{ values: ['ada'] }, 1]);
    const only = 'everyone: prompt greet of the test server, where who is bob';
    expect(await completes(only, 'bob')).toEqual([{ values: ['bob'] }, 1]);
    expect(await completes(only, 'ada')).toEqual(['POLICY_REFUSED', 0]);
  });

  it('a refused call is one record, with its caller, policy, rule and code; an allowed one carries its rule', async () => {
    const session = await open('everyone: read tools');
    await session.request(1, 'tools/call', act);
    await session.request(2, 'tools/call', echo);
    await session.close();
    const records = (await session.records()).filter(({ method }) => method === 'tools/call');
    expect(records.filter(({ target }) => target === 'act')).toEqual([
      expect.objectContaining({
        kind: 'request.refused',
        user: 'erin',
        code: 'POLICY_REFUSED',
        decision: { policy: expect.stringMatching(/^sha256:/), rule: 'default: no line permits it' },
      }),
    ]);
    expect(records.find(({ kind }) => kind === 'request.forwarded')?.decision?.rule).toBe(
      'line 1: everyone: read tools',
    );
  });
});

describe('a list of the server', () => {
  const surface: Surface = {
    ...base,
    prompts: { a: { name: 'a' }, b: { name: 'b' } },
    resources: { 'x://a': { name: 'a', uri: 'x://a' }, 'x://b': { name: 'b', uri: 'x://b' } },
    resourceTemplates: { 'x://{a}': { name: 'a', uriTemplate: 'x://{a}' } },
  };
  const live = liveSurface({ ...makeEntry(), surface: pinSurface(surface), approvedBy: [], approvals: [] });
  const told = (section: Section, sees?: (section: Section, key: string) => boolean): Buffer => {
    const result = { [section]: Object.values(surface[section]), nextCursor: 'c', ttlMs: 5 };
    const bytes = encode({ jsonrpc: '2.0', id: 1, result });
    const answer = answerFor(parseMessage(bytes) as Response, { lists: section }, { live, hello: {}, sees });
    return answer.bytes.equals(bytes) ? Buffer.from('the same') : answer.bytes;
  };

  it.each<Section>(['tools', 'prompts', 'resources', 'resourceTemplates'])(
    'of %s passes byte for byte where all may be seen, and loses what may not',
    (section) => {
      expect(told(section).toString()).toBe('the same');
      expect(told(section, () => true).toString()).toBe('the same');
      const none = JSON.parse(told(section, (asked) => asked !== section).toString());
      expect(none.result).toEqual({ [section]: [], nextCursor: 'c', ttlMs: 5 });
    },
  );

  it('loses one of two', () => {
    const left = JSON.parse(told('prompts', (_, key) => key === 'b').toString());
    expect(left.result.prompts).toEqual([{ name: 'b' }]);
  });
});

describe('a call that people are asked about', () => {
  const ASK = 'everyone: all locked tools\neveryone: ask one person before write tools, within 5 minutes';
  const asking = async (
    people: People,
    setup: SessionSetup = {},
    params: JsonObject = act,
  ): Promise<Running> => {
    const session = await open(ASK, {
      policy: (locked) => sessionPolicy(ASK, locked, { approvals: people }),
      ...setup,
    });
    session.send({ id: 1, method: 'tools/call', params });
    await expect.poll(() => people.asked.length).toBe(1);
    return session;
  };

  it('waits, and is forwarded as it was asked about once they let it pass', async () => {
    const people = new People();
    const session = await asking(people);
    expect(session.calls()).toEqual([]);
    expect(people.asked[0]?.call).toMatchObject({
      user: 'erin',
      tool: 'act',
      people: 1,
      arguments: { what: 'it' },
    });
    // others go on meanwhile, and its id stays taken
    expect(codeOf(await session.request(2, 'tools/call', echo))).toBeUndefined();
    session.send({ id: 1, method: 'tools/call', params: echo });
    await session.next((message) => codeOf(message) === 'ID_DUPLICATE');
    people.decide();
    await session.next((message) => message.id === 1 && message.result !== undefined);
    await session.close();
    const mine = (await session.records()).filter(({ target }) => target === 'act');
    expect(mine.map(({ kind }) => kind)).toEqual([
      'call.waiting',
      'call.approved',
      'request.forwarded',
      'request.finished',
    ]);
    expect(new Set(mine.map(({ call }) => call)).size).toBe(1);
    expect(mine[0]).toMatchObject({ arguments: { what: 'it' }, detail: { people: 1, minutes: 5 } });
    expect(mine[1]).toMatchObject({
      detail: { approvedBy: ['alice'] },
      decision: { rule: expect.stringContaining('line 2') },
    });
    expect(mine[2]?.argumentsDigest).toBe(people.asked[0]?.call.argumentsDigest);
  });

  it('is shown with all that it says beside its arguments, and its records have that as well', async () => {
    const people = new People();
    const token = `ghp_${'a1'.repeat(18)}`;
    const state = 'state-of-the-server';
    const answers = { ask: { action: 'accept', content: { table: 'customers', password: token } } };
    const _meta = { progressToken: 7, 'acme/force': true };
    const session = await asking(people, {}, { ...act, inputResponses: answers, requestState: state, _meta });
    session.send({ id: 2, method: 'tools/call', params: act });
    await expect.poll(() => people.asked.length).toBe(2);
    const [one, plain] = people.asked.map(({ call }) => call);
    expect(one).toMatchObject({
      shown: 'parameters',
      arguments: {
        arguments: act.arguments,
        inputResponses: { ask: { action: 'accept', content: { table: 'customers' } } },
        requestState: expect.stringContaining('[secret hmac-sha256:'),
        _meta: { 'acme/force': true },
      },
    });
    expect(one?.arguments).not.toHaveProperty('_meta.progressToken');
    expect(one?.argumentsDigest).toBe(digestOf(one?.arguments));
    expect(plain).toMatchObject({ arguments: act.arguments });
    expect(plain).not.toHaveProperty('shown');
    people.decide();
    people.decide();
    for (const id of [1, 2]) await session.next((message) => message.id === id);
    await session.close();
    const of = async (kind: string): Promise<unknown[]> =>
      (await session.records()).filter((record) => record.kind === kind && record.target === 'act');
    const beside = { inputResponses: { ask: { content: { table: 'customers' } } } };
    const [waiting, other] = (await of('call.waiting')) as AuditBody[];
    expect(waiting).toMatchObject({
      arguments: act.arguments,
      detail: { beside, people: 1, _meta: { 'acme/force': true } },
    });
    expect(waiting?.argumentsDigest).toBe(one?.argumentsDigest);
    const [sent, same] = (await of('request.forwarded')) as AuditBody[];
    expect(sent).toMatchObject({ arguments: act.arguments, detail: { beside } });
    expect(same).not.toHaveProperty('detail');
    expect(other?.argumentsDigest).toBe(same?.argumentsDigest);
    expect(sent?.argumentsDigest).not.toBe(same?.argumentsDigest);
    expect(JSON.stringify(await session.records())).not.toMatch(new RegExp(`${token}|${state}`));
  });

  it('has all of its time once it is sent, however long people took', async () => {
    const people = new People();
    const session = await asking(people, { callMs: 3000 }, { name: 'act', arguments: { what: 'slowly' } });
    await new Promise((resolve) => setTimeout(resolve, 3200));
    people.decide();
    const answer = await session.next(({ id }) => id === 1);
    expect(codeOf(answer)).toBeUndefined();
    await session.close();
  });

  it.each<[string, string]>([
    ['is turned down', 'CALL_REJECTED'],
    ['runs out of time', 'CALL_EXPIRED'],
  ])('that %s is refused and never forwarded', async (_, code) => {
    const people = new People();
    const session = await asking(people);
    people.decide(new LockkeeperError(code as 'CALL_REJECTED', { expected: 'a', found: 'b', next: 'c' }));
    expect(codeOf(await session.next(({ id, error }) => id === 1 && error !== undefined))).toBe(code);
    await session.close();
    expect(session.calls()).toEqual([]);
    expect(await kindsOf(session)).toEqual(['call.waiting', 'call.rejected']);
    expect((await session.records()).find(({ kind }) => kind === 'call.rejected')).toMatchObject({
      code,
      target: 'act',
    });
  });

  it('is refused where nobody can be asked', async () => {
    const session = await open(ASK);
    expect(codeOf(await session.request(1, 'tools/call', act))).toBe('CALL_UNANSWERED');
    expect(session.calls()).toEqual([]);
    await session.close();
  });

  it('is over when the client cancels it: people are let go, the server hears nothing, a late approval does nothing', async () => {
    const people = new People();
    const session = await asking(people);
    session.send({ method: 'notifications/cancelled', params: { requestId: 1 } });
    await expect.poll(() => people.asked[0]?.signal.aborted).toBe(true);
    people.decide();
    expect(codeOf(await session.request(2, 'tools/call', echo))).toBeUndefined();
    await session.close();
    expect(session.received.some(({ id }) => id === 1)).toBe(false);
    expect(session.calls()).toEqual([{ call: echo }]);
    expect((await session.records()).filter(({ method }) => method === 'notifications/cancelled')).toEqual(
      [],
    );
  });

  it('ends with the session', async () => {
    const people = new People();
    const stop = new AbortController();
    const session = await asking(people, { stop: stop.signal });
    stop.abort();
    await session.end;
    expect(people.asked[0]?.signal.aborted).toBe(true);
    people.decide();
    expect(session.calls()).toEqual([]);
  });

  it('is judged again before it goes, by a lock that ended meanwhile', async () => {
    const people = new People();
    let expires = Number.POSITIVE_INFINITY;
    const session = await asking(people, { lockExpires: () => expires });
    expires = Date.now();
    people.decide();
    expect(codeOf(await session.next(({ id, error }) => id === 1 && error !== undefined))).toBe(
      'LOCK_EXPIRED',
    );
    expect(session.calls()).toEqual([]);
    await session.close();
  });

  it('is refused after people let it pass if the session read too much meanwhile', async () => {
    const people = new People();
    const flow = new FlowState();
    const session = await asking(people, {
      policy: (locked) => sessionPolicy(ASK, locked, { approvals: people, flow }),
    });
    flow.saw({ untrusted: true, private: true }, { call: 'x/1', what: 'other/tool' });
    people.decide();
    expect(codeOf(await session.next(({ id, error }) => id === 1 && error !== undefined))).toBe(
      'POLICY_REFUSED',
    );
    expect(session.calls()).toEqual([]);
    await session.close();
  });

  it('is not answered by a server that guesses its id', async () => {
    const people = new People();
    const session = await asking(people);
    // the server answers 999, 1000 and, here, an id that waits
    session.send({ id: 2, method: 'tools/call', params: echo });
    await session.next(({ id }) => id === 2);
    session.process()?.stdout.emit('data', Buffer.from('{"jsonrpc":"2.0","id":1,"result":{"content":[]}}\n'));
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(session.received.some(({ id }) => id === 1)).toBe(false);
    people.decide();
    await session.next(({ id }) => id === 1);
    expect(session.calls()).toHaveLength(2);
    await session.close();
  });
});

describe('toxic flows', () => {
  it('count what is read of a call before it is answered', async () => {
    const flow = new FlowState();
    const session = await open('', {
      policy: (locked) => sessionPolicy('everyone: all locked tools', locked, { flow }),
      ...labelled({ echo: ['sends-out'], act: ['reads-untrusted', 'reads-private'] }),
    });
    const params = { name: 'act', arguments: { what: 'slowly' }, _meta: { progressToken: 't' } };
    session.send({ id: 1, method: 'tools/call', params });
    await session.next(({ method }) => method === 'notifications/progress');
    const sent = { name: 'echo', arguments: { message: 'out' } };
    expect(codeOf(await session.request(2, 'tools/call', sent))).toBe('POLICY_REFUSED');
    expect(session.received.some(({ id }) => id === 1)).toBe(false);
    await session.close();
  });

  const labelled = (
    labels: Record<string, ('reads-untrusted' | 'reads-private' | 'sends-out')[]>,
  ): SessionSetup => ({
    entry: (entry) => {
      entry.permissions = { ...entry.permissions, labels };
    },
  });

  it('are kept apart over all servers of one client: what one read the other does not send out', async () => {
    const flow = new FlowState();
    const policy: SessionSetup['policy'] = (locked) =>
      sessionPolicy('everyone: all locked tools', locked, { flow });
    const reader = await open('', {
      policy,
      ...labelled({ echo: ['reads-private'], act: ['reads-untrusted'] }),
    });
    const sender = await open('', { policy, ...labelled({ echo: ['sends-out'], act: [] }) });
    expect(codeOf(await sender.request(1, 'tools/call', echo))).toBeUndefined();
    await reader.request(1, 'tools/call', echo);
    expect(codeOf(await sender.request(2, 'tools/call', echo))).toBeUndefined();
    await reader.request(2, 'tools/call', act);
    expect(codeOf(await sender.request(3, 'tools/call', echo))).toBe('POLICY_REFUSED');
    expect(codeOf(await sender.request(4, 'tools/call', act))).toBeUndefined();
    await Promise.all([reader.close(), sender.close()]);
    expect(sender.calls()).toHaveLength(3);
    const record = (await sender.records()).find(({ kind }) => kind === 'request.refused');
    const asked = (await reader.records())
      .filter(({ kind }) => kind === 'request.forwarded')
      .map(({ call }) => call);
    expect(record?.detail).toMatchObject({
      read: { private: { call: asked[0] }, untrusted: { call: asked[1] } },
    });
  });

  it('are asked about, call by call, where a line says so', async () => {
    const people = new People();
    const text = 'everyone: all locked tools\neveryone: ask one person before sending out after reading';
    const session = await open('', {
      policy: (locked) => sessionPolicy(text, locked, { approvals: people }),
      ...labelled({ echo: ['sends-out'], act: ['reads-untrusted', 'reads-private'] }),
    });
    expect(codeOf(await session.request(1, 'tools/call', echo))).toBeUndefined();
    await session.request(2, 'tools/call', act);
    expect(people.asked).toEqual([]);
    session.send({ id: 3, method: 'tools/call', params: echo });
    await expect.poll(() => people.asked.length).toBe(1);
    expect(session.calls()).toHaveLength(2);
    people.decide();
    await session.next((message) => message.id === 3 && message.result !== undefined);
    session.send({ id: 4, method: 'tools/call', params: echo });
    await expect.poll(() => people.asked.length).toBe(2);
    people.decide(
      new LockkeeperError('CALL_REJECTED', { expected: 'a yes', found: 'a no', next: 'Ask why' }),
    );
    await session.next((message) => message.id === 4 && codeOf(message) !== undefined);
    await session.close();
    expect(session.calls()).toHaveLength(3);
    const waiting = (await session.records()).filter(({ kind }) => kind === 'call.waiting');
    expect(waiting.map(({ decision }) => decision?.rule)).toEqual(['toxic flows', 'toxic flows']);
  });

  it('count what a server tells by itself of a call that was given up', async () => {
    const flow = new FlowState();
    const session = await open('', {
      policy: (locked) => sessionPolicy('everyone: all locked tools', locked, { flow }),
      ...labelled({ echo: ['sends-out'], act: ['reads-untrusted', 'reads-private'] }),
    });
    const never = { name: 'act', arguments: { what: 'never' } };
    session.send({ id: 'tell', method: 'tools/call', params: never });
    session.send({ method: 'notifications/cancelled', params: { requestId: 'tell' } });
    await session.next(({ method }) => method === 'notifications/message');
    expect(flow.read).toEqual({ untrusted: true, private: true });
    expect(codeOf(await session.request(2, 'tools/call', echo))).toBe('POLICY_REFUSED');
    await session.close();
  });

  it.each([
    ['', 'POLICY_REFUSED'],
    ['\nanyone: may send out after reading', undefined],
  ])(
    'keep a server that sends out from asking the client’s model, unless a line lets:%s',
    async (line, code) => {
      const flow = new FlowState();
      const session = await startSession({
        user: 'erin',
        policy: (locked) => sessionPolicy(`anyone: all locked tools${line}`, locked, { flow }),
        ...labelled({ echo: ['sends-out'], act: [] }),
      });
      await session.request(0, 'initialize', { ...INITIALIZE, capabilities: { sampling: {} } });
      flow.saw({ untrusted: true, private: true }, { call: 'x/1', what: 'other/tool' });
      session.send({ id: 1, method: 'tools/call', params: { name: 'act', arguments: { what: 'ask' } } });
      const next = await session.next(({ id, method }) => id === 1 || method === 'sampling/createMessage');
      expect(next.method).toBe(code === undefined ? 'sampling/createMessage' : undefined);
      if (next.id !== 1) session.send({ id: next.id as string, result: { role: 'assistant' } });
      await session.next(({ id }) => id === 1);
      await session.close();
      const asked = (await session.records()).find(({ method }) => method === 'sampling/createMessage');
      expect(asked).toMatchObject({ direction: 'to-client', ...(code === undefined ? {} : { code }) });
      expect(asked?.kind).toBe(code === undefined ? 'request.forwarded' : 'request.refused');
    },
  );

  it('count what completes an argument, which the server makes up', async () => {
    const flow = new FlowState();
    const session = await open('', {
      how: 'completes',
      surface: await capture([SCRIPTED, 'completes']),
      policy: (locked) => sessionPolicy('everyone: everything locked', locked, { flow }),
      ...labelled({ act: ['reads-private', 'reads-untrusted'] }),
    });
    const params = { ref: { type: 'ref/prompt', name: 'greet' }, argument: { name: 'who', value: 'a' } };
    expect(JSON.stringify(await session.request(1, 'completion/complete', params))).toContain('ada');
    expect(flow.read).toEqual({ untrusted: true, private: true });
    await session.close();
  });

  it('begin with an answer, and not with a call that was refused', async () => {
    const flow = new FlowState();
    const text = 'everyone: tool echo of the test server';
    const session = await open(text, {
      policy: (locked) => sessionPolicy(text, locked, { flow }),
      ...labelled({ act: ['reads-private', 'reads-untrusted'] }),
    });
    await session.request(1, 'tools/call', act);
    expect(flow.read).toEqual({ untrusted: false, private: false });
    await session.close();
  });
});
