/** Calls that wait for people, at the registry: who may ask, who may decide, and how often. */
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildApp } from '../../registry/app.ts';
import { sweepCalls } from '../../registry/calls.ts';
import { forgetCalls } from '../../registry/db/calls.ts';
import { withTransaction } from '../../registry/db/pool.ts';
import { type CallFacts, type CallView, callId } from '../../schemas/call.ts';
import type { JsonObject } from '../../schemas/common.ts';
import { digestOf } from '../../schemas/json.ts';
import { ARGUMENTS, approvalOfCall, callFacts } from '../helpers/calls.ts';
import { type Answer, servers, startTestRegistry, type TestRegistry } from '../helpers/registry.ts';
import type { Key } from '../helpers/trust.ts';
import { until } from '../helpers/wait.ts';

describe.each(servers())('calls that wait on $name', (server) => {
  let registry: TestRegistry;
  let alice: Key;
  let bob: Key;
  let closureDigest: string;

  beforeAll(async () => {
    registry = await startTestRegistry(server);
    await registry.person('dave', 'publisher');
    await registry.person('root', 'admin');
    await registry.person('erin', 'developer');
    await registry.person('frank', 'developer');
    await registry.person('gateway', 'runtime');
    alice = await registry.reviewer('alice');
    bob = await registry.reviewer('bob');
    const id = await registry.approved('dave', [alice, bob]);
    closureDigest = (await registry.call('alice', 'GET', `/v1/releases/${id}`)).body.closure.digest;
  });
  afterAll(() => registry.close());

  const facts = (change: Partial<CallFacts> = {}, args?: JsonObject): CallFacts =>
    callFacts({ closureDigest, ...change }, args);
  const ask = (as: string, said: CallFacts, args: JsonObject = ARGUMENTS): Promise<Answer> =>
    registry.call(as, 'POST', '/v1/calls', { facts: said, arguments: args });
  const asked = async (change: Partial<CallFacts> = {}, as = 'erin'): Promise<CallFacts> => {
    const said = facts(change);
    const answer = await ask(as, said);
    expect(answer.body).toEqual({ id: callId(said), state: 'waiting' });
    return said;
  };
  const url = (said: CallFacts, verb = ''): string => `/v1/calls/${callId(said)}${verb}`;
  const approve = (by: Key, said: CallFacts, about = said, as = by.person): Promise<Answer> =>
    registry.call(as, 'POST', url(said, '/approvals'), { envelope: approvalOfCall(by, about) });
  const reject = (as: string, said: CallFacts): Promise<Answer> =>
    registry.call(as, 'POST', url(said, '/reject'), { reason: 'not on a Friday' });
  const use = (said: CallFacts, as = 'erin'): Promise<Answer> =>
    registry.call(as, 'POST', url(said, '/use'), {});
  const look = async (said: CallFacts): Promise<CallView> =>
    (await registry.call<CallView>('alice', 'GET', url(said))).body;
  const stateOf = async (said: CallFacts): Promise<string> => (await look(said)).state;
  const pass = (said: CallFacts): Promise<unknown> =>
    registry.pool.query(
      "update calls set asked_at = asked_at - interval '1 hour', expires_at = expires_at - interval '1 hour' where id = $1",
      [callId(said)],
    );
  const eventsOf = async (said: CallFacts): Promise<string[]> => {
    const { rows } = await registry.pool.query('select action from events where subject = $1 order by id', [
      `call:${callId(said)}`,
    ]);
    return rows.map(({ action }) => action);
  };

  it('are asked about, shown whole, approved with a signature, and taken once', async () => {
    const said = await asked();
    expect(await look(said)).toMatchObject({ facts: said, arguments: ARGUMENTS, askedBy: 'erin' });
    const list = (await registry.call<{ calls: CallView[] }>('bob', 'GET', '/v1/calls')).body.calls;
    expect(list.map(({ id }) => id)).toContain(callId(said));
    expect((await use(said)).body.code).toBe('CALL_DECIDED');
    const envelope = approvalOfCall(alice, said);
    const given = await registry.call('alice', 'POST', url(said, '/approvals'), { envelope });
    expect(given.body).toMatchObject({ state: 'approved', approvedBy: ['alice'] });
    const answer = await registry.call('erin', 'GET', url(said, '/answer'));
    expect(answer.body).toEqual({
      id: callId(said),
      state: 'approved',
      rejected: null,
      envelopes: [envelope],
    });
    const both = await Promise.all([use(said), use(said), use(said)]);
    expect(both.map(({ status }) => status).sort()).toEqual([200, 409, 409]);
    expect((await registry.call('erin', 'GET', url(said, '/answer'))).body.envelopes).toEqual([]);
    expect(await look(said)).toMatchObject({ state: 'used', arguments: null });
    expect(await eventsOf(said)).toEqual(['call.asked', 'call.approved-by', 'call.used']);
    const { rows } = await registry.pool.query(
      "select 1 from log_entries where convert_from(entry, 'utf8')::jsonb @> $1",
      [{ kind: 'call', subject: `call:${callId(said)}`, digest: digestOf(envelope) }],
    );
    expect(rows.length).toBe(1);
  });

  it('refuse an approval of anything else: nothing is approved then', async () => {
    const said = await asked();
    const other = await asked();
    for (const [as, by, about, code] of [
      ['alice', alice, { ...said, argumentsDigest: digestOf({}) }, 'CALL_SUBJECT'],
      ['alice', alice, { ...said, tool: 'other' }, 'CALL_SUBJECT'],
      ['alice', alice, { ...said, session: 's-2' }, 'CALL_SUBJECT'],
      ['alice', alice, { ...said, people: 2 }, 'CALL_SUBJECT'],
      ['alice', alice, other, 'CALL_SUBJECT'],
      ['bob', alice, said, 'FORBIDDEN'],
      ['alice', { ...alice, person: 'bob' }, said, 'SIGNATURE_INVALID'],
    ] as const)
      expect([code, (await approve(by, said, about, as)).body.code]).toEqual([code, code]);
    for (const as of ['erin', 'root', 'gateway'])
      expect((await approve(alice, said, said, as)).status).toBe(403);
    expect(await look(said)).toMatchObject({ state: 'waiting', approvedBy: [] });
    expect((await use(said)).status).toBe(409);
    expect(await eventsOf(said)).toEqual(['call.asked']);
  });

  it.each(['alice', 'local:alice', 'Alice'])('are not approved by their own user, %s', async (user) => {
    const said = await asked({ user }, 'gateway');
    expect((await approve(alice, said)).body.code).toBe('APPROVAL_REQUESTER');
    expect(await stateOf(said)).toBe('waiting');
    expect((await approve(bob, said)).body.state).toBe('approved');
  });

  it('are not approved by whoever asked with their sign-in, whatever user they name', async () => {
    const said = await asked({ user: 'local:somebody' }, 'alice');
    expect((await approve(alice, said)).body.code).toBe('APPROVAL_REQUESTER');
    expect(await stateOf(said)).toBe('waiting');
  });

  it('take two people where they say so, each once', async () => {
    const said = await asked({ people: 2 });
    const racing = await Promise.all([approve(alice, said), approve(alice, said), approve(alice, said)]);
    expect(racing.map(({ status }) => status).sort()).toEqual([200, 409, 409]);
    expect((await approve(alice, said)).body.code).toBe('APPROVAL_GIVEN');
    expect(await look(said)).toMatchObject({ state: 'waiting', approvedBy: ['alice'] });
    expect((await use(said)).body.code).toBe('CALL_DECIDED');
    expect((await registry.call('erin', 'GET', url(said, '/answer'))).body.envelopes).toEqual([]);
    expect((await approve(bob, said)).body).toMatchObject({
      state: 'approved',
      approvedBy: ['alice', 'bob'],
    });
    expect((await registry.call('erin', 'GET', url(said, '/answer'))).body.envelopes).toHaveLength(2);
    expect((await use(said)).status).toBe(200);
  });

  it('are turned down by one person, also once approved', async () => {
    for (const before of [false, true]) {
      const said = await asked();
      if (before) await approve(alice, said);
      expect((await reject('erin', said)).status).toBe(403);
      expect((await reject('root', said)).body).toMatchObject({
        state: 'rejected',
        rejected: { person: 'root', reason: 'not on a Friday' },
      });
      expect((await use(said)).body.code).toBe('CALL_REJECTED');
      expect((await approve(bob, said)).body.code).toBe('CALL_REJECTED');
      expect((await reject('bob', said)).body.code).toBe('CALL_REJECTED');
      expect((await eventsOf(said)).at(-1)).toBe('call.rejected');
    }
  });

  it('are over in time, approved or not, and are swept with an event', async () => {
    const [waiting, ready] = [await asked(), await asked()];
    await approve(alice, ready);
    for (const said of [waiting, ready]) await pass(said);
    expect((await approve(alice, waiting)).body.code).toBe('CALL_EXPIRED');
    expect((await reject('alice', waiting)).body.code).toBe('CALL_EXPIRED');
    expect((await use(ready)).body.code).toBe('CALL_EXPIRED');
    const answer = await registry.call('erin', 'GET', url(ready, '/answer?wait=20'));
    expect(answer.body).toMatchObject({ state: 'expired', envelopes: [] });
    await withTransaction(registry.pool, sweepCalls);
    for (const said of [waiting, ready]) {
      expect(await look(said)).toMatchObject({ state: 'expired', arguments: null });
      expect((await eventsOf(said)).at(-1)).toBe('call.expired');
    }
    await registry.pool.query("update calls set changed_at = now() - interval '2 days' where id = $1", [
      callId(ready),
    ]);
    await forgetCalls(registry.pool);
    expect((await registry.call('alice', 'GET', url(ready))).status).toBe(404);
    expect(await stateOf(waiting)).toBe('expired');
  });

  it('belong to who asked: nobody else takes, follows or withdraws them', async () => {
    const said = await asked();
    await approve(alice, said);
    expect((await use(said, 'frank')).status).toBe(404);
    expect((await registry.call('frank', 'GET', url(said, '/answer'))).status).toBe(404);
    expect((await registry.call('frank', 'POST', url(said, '/withdraw'), {})).status).toBe(404);
    expect((await ask('frank', { ...said, user: 'local:x' })).status).toBe(200);
    expect((await ask('gateway', said)).body.code).toBe('CALL_DECIDED');
    expect((await registry.call('erin', 'GET', '/v1/calls')).status).toBe(403);
    expect((await registry.call('erin', 'GET', url(said))).status).toBe(403);
    expect(await stateOf(said)).toBe('approved');
    expect((await registry.call('erin', 'POST', url(said, '/withdraw'), {})).status).toBe(200);
    expect((await use(said)).body.code).toBe('CALL_DECIDED');
    expect((await approve(bob, said)).body.code).toBe('CALL_DECIDED');
  });

  it('are asked about once, in one’s own name, about known bytes, with arguments that fit and are read', async () => {
    const said = await asked();
    expect((await ask('erin', said)).body.id).toBe(callId(said));
    expect(await eventsOf(said)).toEqual(['call.asked']);
    const large = { text: 'x'.repeat(33 * 1024) };
    for (const [as, bad, args, code] of [
      ['erin', facts({ user: 'frank' }), ARGUMENTS, 'FORBIDDEN'],
      ['erin', facts(), { other: 1 }, 'REQUEST_INVALID'],
      ['erin', facts({}, large), large, 'REQUEST_INVALID'],
      [
        'erin',
        facts({ expires: new Date(Date.now() + 21 * 60_000).toISOString() }),
        ARGUMENTS,
        'REQUEST_INVALID',
      ],
      ['erin', facts({ expires: new Date(Date.now() - 1000).toISOString() }), ARGUMENTS, 'REQUEST_INVALID'],
      ['erin', facts({ expires: '2026-02-31T00:00:00.000Z' }), ARGUMENTS, 'REQUEST_INVALID'],
      ['erin', facts({ people: 3 }), ARGUMENTS, 'REQUEST_INVALID'],
      ['erin', facts({ tool: 'a\u0000b' }), ARGUMENTS, 'REQUEST_INVALID'],
      ['erin', facts({ closureDigest: digestOf('x') }), ARGUMENTS, 'NOT_FOUND'],
      ['dave', facts(), ARGUMENTS, 'FORBIDDEN'],
    ] as const) {
      expect([code, (await ask(as, bad, args)).body.code]).toEqual([code, code]);
      expect((await registry.call('alice', 'GET', url(bad))).status).toBe(404);
    }
    const { rows } = await registry.pool.query(
      'select expires_at - asked_at as left from calls where id = $1',
      [callId(await asked({ expires: new Date(Date.now() + 18 * 60_000).toISOString() }))],
    );
    expect(rows[0].left).toEqual({ minutes: 15 });
  });

  it('hold an answer until it is there, on every replica, and let go when nobody waits', async () => {
    const replica = await buildApp(registry.deps);
    let followed = 0;
    replica.server.on('request', () => void followed++);
    await replica.listen({ host: '127.0.0.1', port: 0 });
    const base = `http://127.0.0.1:${(replica.server.address() as AddressInfo).port}`;
    const hank = await registry.person('hank', 'runtime');
    const follow = (said: CallFacts, signal?: AbortSignal): Promise<Response> =>
      fetch(`${base}${url(said, '/answer?wait=20')}`, {
        headers: { authorization: `Bearer ${hank}` },
        ...(signal ? { signal } : {}),
      });
    const said = await asked({}, 'hank');
    const gone = new AbortController();
    const left = follow(said, gone.signal).catch(() => 'left');
    const before = performance.now();
    const answer = follow(said);
    await until(() => followed === 2);
    gone.abort();
    expect(await left).toBe('left');
    await approve(alice, said);
    expect(((await (await answer).json()) as { state: string }).state).toBe('approved');
    expect(performance.now() - before).toBeLessThan(15_000);
    const still = await asked({}, 'hank');
    const ended = follow(still);
    await until(() => followed === 3);
    await replica.close();
    expect(((await (await ended).json()) as { state: string }).state).toBe('waiting');
  });

  it('are so many of a runtime, and so many questions a minute', async () => {
    await registry.person('flood', 'runtime');
    const all = [];
    for (let n = 0; n < 32; n++) all.push(await asked({ runtime: 'j-flood' }, 'flood'));
    const over = await ask('flood', facts({ runtime: 'j-flood' }));
    expect([over.status, over.body.code]).toEqual([429, 'RATE_LIMITED']);
    const [first] = all;
    if (!first) throw new Error('none');
    await registry.call('flood', 'POST', url(first, '/withdraw'), {});
    await asked({ runtime: 'j-flood' }, 'flood');
    for (let n = 33; n < 120; n++) {
      const said = await asked({ runtime: `j-${n}` }, 'flood');
      await registry.call('flood', 'POST', url(said, '/withdraw'), {});
    }
    expect((await ask('flood', facts({ runtime: 'j-new' }))).body.code).toBe('RATE_LIMITED');
    await asked();
  });

  it('are not asked about once the release is revoked', async () => {
    const id = await registry.approved('dave', [alice, bob], {
      version: '9.0.0',
      source: 'npm:weather@9.0.0',
    });
    const { body } = await registry.call('alice', 'GET', `/v1/releases/${id}`);
    const said = facts({ version: '9.0.0', closureDigest: body.closure.digest });
    await registry.call('root', 'POST', `/v1/releases/${id}/revoke`, { reason: 'found a hole' });
    expect((await ask('erin', said)).body.code).toBe('RELEASE_REVOKED');
  });
});
