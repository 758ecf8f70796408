/** Asking about a call from where a server runs: through a real registry, and through ones that lie, stall or break off. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openApi } from '../../cli/api.ts';
import { callApprovalsOf } from '../../cli/call-approvals.ts';
import { callNamed, giveCallApproval } from '../../cli/calls.ts';
import { NOBODY_TO_ASK, type WaitingCall, waitingCall } from '../../runtime/gate/people.ts';
import type { Scribe } from '../../runtime/session/records.ts';
import type { ApprovedCall } from '../../runtime/trust/call.ts';
import { openRoot, type TrustedRoot } from '../../runtime/trust/root.ts';
import { type CallFacts, callId } from '../../schemas/call.ts';
import type { Envelope } from '../../schemas/dsse.ts';
import { LockkeeperError } from '../../schemas/errors.ts';
import { digestOf } from '../../schemas/json.ts';
import { problemOf } from '../../schemas/problem.ts';
import { keySigner } from '../../schemas/signer.ts';
import { approvalOfCall, callFacts } from '../helpers/calls.ts';
import { servers, startTestRegistry, type TestRegistry } from '../helpers/registry.ts';
import { type Key, makeKey, makeRoot, people, pin } from '../helpers/trust.ts';
import { PATIENCE_MS, until } from '../helpers/wait.ts';

const FAST = { holdS: 2, firstWaitMs: 20, mostWaitMs: 100 };
const SECRET = 'ghp_abcdefghijklmnopqrstuvwxyz0123456789';
const FORBIDDEN = new LockkeeperError('FORBIDDEN', { expected: 'a', found: 'b', next: 'c' });
const never = new AbortController().signal;

const codeOf = (asking: Promise<ApprovedCall>): Promise<string> =>
  asking.then(
    () => 'approved',
    (error: unknown) => (error instanceof LockkeeperError ? error.code : String(error)),
  );

function waiting(change: Partial<WaitingCall> = {}): WaitingCall {
  const args = { repository: 'acme/site' };
  const { nonce: _, ...facts } = callFacts({}, args);
  return { ...facts, arguments: args, ...change };
}

describe.each(servers().slice(0, 1))('asking people through a registry', (server) => {
  let registry: TestRegistry;
  let trusted: TrustedRoot;
  let alice: Key;
  let bob: Key;
  let closureDigest: string;
  const tokens: Record<string, string> = {};
  const said: string[] = [];
  let url: string;

  beforeAll(async () => {
    registry = await startTestRegistry(server);
    await registry.person('dave', 'publisher');
    alice = await registry.reviewer('alice');
    bob = await registry.reviewer('bob');
    for (const person of ['alice', 'bob']) tokens[person] = await registry.person(person, 'reviewer');
    tokens.erin = await registry.person('erin', 'developer');
    await registry.approved('dave', [alice, bob]);
    const { rows } = await registry.pool.query('select closure_digest from releases');
    closureDigest = rows[0].closure_digest;
    trusted = (await registry.deps.trust.current()).trusted;
    url = await registry.app.listen({ host: '127.0.0.1', port: 0 });
  });
  afterAll(() => registry.close());

  const ask = (call: Partial<WaitingCall> = {}, signal = never): Promise<ApprovedCall> =>
    callApprovalsOf({
      api: openApi(url, tokens.erin ?? ''),
      trusted,
      say: (line) => void said.push(line),
      timing: FAST,
    }).ask(waiting({ closureDigest, ...call }), signal);
  const newest = async (): Promise<string> => {
    const before = said.length;
    await expect.poll(() => said.length).toBeGreaterThan(before);
    return /[0-9a-f]{32}/.exec(said.at(-1) ?? '')?.[0] ?? '';
  };
  const approve = async (by: Key, id: string): Promise<void> => {
    const api = openApi(url, tokens[by.person] ?? '');
    const { facts, arguments: args } = await callNamed(api, id);
    await giveCallApproval(
      { facts, arguments: args ?? {} },
      { api, signer: keySigner(by.key), now: new Date() },
    );
  };
  const stateOf = async (id: string): Promise<string> =>
    (await registry.call('alice', 'GET', `/v1/calls/${id}`)).body.state;

  it('ends with who approved it, and with the approval taken', async () => {
    const [asking, id] = await Promise.all([
      ask({ people: 2 }).catch((e: Error) => e),
      newest().then(async (name) => {
        await approve(alice, name);
        await sleep(100);
        expect(await stateOf(name)).toBe('waiting');
        await approve(bob, name);
        return name;
      }),
    ]);
    expect(asking).toMatchObject({ approvedBy: ['alice', 'bob'] });
    expect(await stateOf(id)).toBe('used');
  });

  it('ends with the reason why it was turned down', async () => {
    const asking = ask().catch((error: LockkeeperError) => error);
    const id = await newest();
    await registry.call('bob', 'POST', `/v1/calls/${id}/reject`, { reason: 'not on a Friday' });
    expect(await asking).toMatchObject({
      code: 'CALL_REJECTED',
      message: expect.stringContaining('bob turned it down: "not on a Friday"'),
    });
  });

  it('ends in time, and is withdrawn when the client gives it up', async () => {
    const expires = new Date(Date.now() + 700).toISOString();
    expect(await codeOf(ask({ expires }))).toBe('CALL_EXPIRED');
    const over = new AbortController();
    const asking = codeOf(ask({}, over.signal));
    const id = await newest();
    over.abort();
    expect(await asking).toBe('CALL_UNANSWERED');
    await expect.poll(() => stateOf(id)).toBe('withdrawn');
    expect(await codeOf(ask({}, over.signal))).toBe('CALL_UNANSWERED');
  });

  it('refuses an approval by a key that the root in the lock does not know', async () => {
    const older = openRoot(
      {
        root: makeRoot((root) => {
          root.issuedAt = new Date(Date.now() - 60_000).toISOString();
          root.expires = new Date(Date.now() + 3_600_000).toISOString();
        }),
        rootChain: [],
      },
      pin,
      new Date(),
    );
    const api = openApi(url, tokens.erin ?? '');
    const asking = callApprovalsOf({
      api,
      trusted: older,
      say: (line) => void said.push(line),
      timing: FAST,
    }).ask(waiting({ closureDigest }), never);
    const code = codeOf(asking);
    const id = await newest();
    await approve(alice, id);
    expect(await code).toBe('KEY_UNKNOWN');
    await expect.poll(() => stateOf(id)).toBe('withdrawn');
  });

  it('says what the registry refuses', async () => {
    expect(await codeOf(ask({ closureDigest: digestOf('x') }))).toBe('CALL_UNANSWERED');
    expect(await codeOf(ask({ user: 'frank' }))).toBe('CALL_UNANSWERED');
  });

  it('shows people nothing else than they sign', async () => {
    const asking = codeOf(ask());
    const id = await newest();
    const api = openApi(url, tokens.alice ?? '');
    const { facts, arguments: args } = await callNamed(api, id);
    const signing = { api, signer: keySigner(alice.key), now: new Date() };
    await expect(
      giveCallApproval({ facts, arguments: { repository: 'harmless' } }, signing),
    ).rejects.toMatchObject({ code: 'CALL_SUBJECT' });
    const swapped = { ...facts, tool: 'read_file' };
    await expect(giveCallApproval({ facts: swapped, arguments: args ?? {} }, signing)).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
    const mine = { ...signing, api: openApi(url, tokens.erin ?? '') };
    await expect(giveCallApproval({ facts, arguments: args ?? {} }, mine)).rejects.toMatchObject({
      code: 'APPROVAL_REQUESTER',
    });
    expect(await stateOf(id)).toBe('waiting');
    await registry.pool.query(
      "update calls set facts = jsonb_set(facts, '{tool}', '\"read_file\"') where id = $1",
      [id],
    );
    await expect(callNamed(api, id)).rejects.toMatchObject({ code: 'CALL_SUBJECT' });
    await registry.call('bob', 'POST', `/v1/calls/${id}/reject`, { reason: 'a test' });
    expect(await asking).toBe('CALL_REJECTED');
  });
});

describe('a registry that is stolen', () => {
  let server: Server | undefined;
  afterEach(() => {
    server?.closeAllConnections();
    server?.close();
  });
  const { alice, bob, mallory } = people;
  const at = new Date();
  const hours = (n: number): string => new Date(at.getTime() + n * 3_600_000).toISOString();
  const root = makeRoot((document) => {
    document.issuedAt = hours(-1);
    document.expires = hours(100);
    for (const key of document.keys) Object.assign(key, { notBefore: hours(-1), notAfter: hours(100) });
  });
  const trusted = openRoot({ root, rootChain: [] }, pin, at);

  type Reply = (response: ServerResponse, facts: CallFacts) => void;
  const json = (response: ServerResponse, value: unknown, status = 200): void => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(value));
  };
  const answer =
    (envelopes: readonly Envelope[], state = 'approved'): Reply =>
    (response, facts) =>
      json(response, { id: callId(facts), state, rejected: null, envelopes });

  /** What became of a call, and what was asked on the way. */
  async function through(
    reply: Reply,
    more: { call?: Partial<WaitingCall>; use?: Reply; lastsMs?: number } = {},
  ): Promise<{ code: string; asked: string[] }> {
    const asked: string[] = [];
    let facts: CallFacts | undefined;
    const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const verb = /[^/?]+(?=\?|$)/.exec(request.url ?? '')?.[0] ?? '';
      asked.push(verb);
      if (verb === 'calls') facts = JSON.parse(Buffer.concat(chunks).toString()).facts;
      if (!facts) throw new Error('not asked');
      if (verb === 'calls') return json(response, { id: callId(facts), state: 'waiting' });
      if (verb === 'answer') return reply(response, facts);
      if (verb === 'use' && more.use) return more.use(response, facts);
      json(response, { id: callId(facts), state: verb === 'use' ? 'used' : 'withdrawn' });
    };
    server = createServer((request, response) => void handle(request, response));
    await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
    const api = openApi(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, 'lk_t');
    const expires = new Date(Date.now() + (more.lastsMs ?? PATIENCE_MS)).toISOString();
    const asking = callApprovalsOf({ api, trusted, say: () => undefined, timing: FAST });
    const code = await codeOf(asking.ask(waiting({ expires, ...more.call }), never));
    await sleep(100);
    return { code, asked };
  }
  const signed =
    (by: Key, change: Partial<CallFacts> = {}): Reply =>
    (response, facts) =>
      answer([approvalOfCall(by, { ...facts, ...change })])(response, facts);

  it('is believed when it hands over what people signed', async () => {
    expect((await through(signed(alice))).code).toBe('approved');
  });

  it.each<[string, Reply, string, Partial<WaitingCall>?]>([
    ['its own word', answer([]), 'APPROVAL_THRESHOLD'],
    ['a key of its own', signed(mallory), 'KEY_UNKNOWN'],
    ['a key under another’s name', signed({ ...makeKey('alice'), keyid: alice.keyid }), 'KEY_UNKNOWN'],
    ['the caller’s own approval', signed(alice), 'APPROVAL_REQUESTER', { user: 'alice' }],
    ['an approval of other arguments', signed(alice, { argumentsDigest: digestOf({}) }), 'CALL_SUBJECT'],
    ['an approval of an earlier question', signed(alice, { nonce: 'f'.repeat(32) }), 'CALL_SUBJECT'],
    ['an approval of another session', signed(alice, { session: 's-0' }), 'CALL_SUBJECT'],
    ['one person where it takes two', signed(alice), 'APPROVAL_THRESHOLD', { people: 2 }],
    [
      'one person twice where it takes two',
      (response, facts) => answer([approvalOfCall(bob, facts), approvalOfCall(bob, facts)])(response, facts),
      'APPROVAL_THRESHOLD',
      { people: 2 },
    ],
    ['an approval that says it takes one', signed(alice, { people: 1 }), 'CALL_SUBJECT', { people: 2 }],
  ])('does not get a call through with %s', async (_, reply, code, call = {}) => {
    const found = await through(reply, { call });
    expect(found.code).toBe(code);
    expect(found.asked).not.toContain('use');
    await until(() => found.asked.at(-1) === 'withdraw');
  });

  it.each<[string, Reply, string]>([
    ['never answers', () => undefined, 'CALL_EXPIRED'],
    ['answers that it waits, without end', answer([], 'waiting'), 'CALL_EXPIRED'],
    ['breaks off', (response) => response.destroy(), 'CALL_EXPIRED'],
    ['answers a page', (response) => response.end('<html>'), 'CALL_EXPIRED'],
    [
      'answers about another call',
      (response) => json(response, { id: '0'.repeat(32), state: 'approved', rejected: null, envelopes: [] }),
      'CALL_UNANSWERED',
    ],
    ['says that it was used already', answer([], 'used'), 'CALL_UNANSWERED'],
    ['refuses', (response) => json(response, problemOf(FORBIDDEN, 'No'), 403), 'CALL_UNANSWERED'],
  ])('that %s lets nothing pass, and is not asked in a circle', async (_, reply, code) => {
    const found = await through(reply, code === 'CALL_EXPIRED' ? { lastsMs: 1000 } : {});
    expect(found.code).toBe(code);
    expect(found.asked.length).toBeLessThan(150);
    expect(found.asked).not.toContain('use');
  });

  it.each<[string, Reply, string]>([
    ['is another', (response) => json(response, { id: '0'.repeat(32), state: 'used' }), 'CALL_UNANSWERED'],
    [
      'was not taken',
      (response, facts) => json(response, { id: callId(facts), state: 'approved' }),
      'CALL_UNANSWERED',
    ],
    ['breaks off', (response) => response.destroy(), 'CALL_UNANSWERED'],
  ])('an approval whose taking %s does not count', async (_, use, code) => {
    expect((await through(signed(alice), { use })).code).toBe(code);
  });

  it('that is not there is no reason to wait', async () => {
    const api = openApi('http://127.0.0.1:9', 'lk_t');
    const asking = callApprovalsOf({ api, trusted, say: () => undefined }).ask(waiting(), never);
    expect(await codeOf(asking)).toBe('CALL_UNANSWERED');
    expect(await codeOf(NOBODY_TO_ASK.ask(waiting(), never))).toBe('CALL_UNANSWERED');
  });
});

describe('what people are asked', () => {
  const scribe = {
    journal: { id: 'j-1', key: Buffer.alloc(32, 1) },
    session: 's',
    caller: { user: 'erin', teams: [], via: 'sign-in', actors: [] },
    subject: { server: 'acme.tools/weather', version: '1.2.3', closure: digestOf('c') },
  } as unknown as Scribe;
  const made = (args: WaitingCall['arguments'], minutes?: number): WaitingCall =>
    waitingCall(
      'push',
      { name: 'push', arguments: args },
      { scribe, people: 1, now: new Date(0), ...(minutes ? { minutes } : {}) },
    );

  it('shows no secret, is bound to it all the same, and lasts fifteen minutes at most', () => {
    const call = made({ token: SECRET, text: 'x'.repeat(5000) });
    expect(JSON.stringify(call)).not.toContain(SECRET);
    expect(call.argumentsDigest).toBe(digestOf(call.arguments));
    expect(call.arguments.text).toHaveLength(5000);
    expect(call.argumentsDigest).not.toBe(
      made({ token: `${SECRET}x`, text: 'x'.repeat(5000) }).argumentsDigest,
    );
    expect(made({}, 99).expires).toBe(new Date(15 * 60_000).toISOString());
  });

  it('names the server as the lock does, as two of them may be one release', () => {
    const { subject } = scribe;
    const at = (alias: string): WaitingCall =>
      waitingCall(
        'push',
        {},
        { scribe: { ...scribe, subject: { ...subject, alias } }, people: 1, now: new Date(0) },
      );
    const named = (alias: string): string => {
      const { arguments: _, ...facts } = at(alias);
      return callId({ nonce: '0'.repeat(32), ...facts });
    };
    expect(at('production')).toMatchObject({ alias: 'production', server: subject.server });
    expect(named('production')).not.toBe(named('staging'));
  });

  it('is nothing that nobody can read', () => {
    expect(() => made({ text: 'x'.repeat(33 * 1024) })).toThrow('which a person can read');
  });
});
