import { readdirSync, readlinkSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { MAX_IN_FLIGHT } from '../../../runtime/gate/gate.ts';
import { type Journal, openJournal } from '../../../runtime/journal/journal.ts';
import { bodyOf } from '../../../runtime/journal/noted.ts';
import { readJournal, verifyJournal } from '../../../runtime/journal/read.ts';
import type { AuditBody } from '../../../schemas/audit.ts';
import { codeOf, INITIALIZE, openSession, startSession, tempDir } from '../../helpers/session.ts';

const isAlive = (pid: number | undefined): boolean => {
  try {
    process.kill(pid ?? 0, 0);
    return true;
  } catch {
    return false;
  }
};

/** Pipes and sockets that this process has open. */
function openDescriptors(): string[] {
  return readdirSync('/proc/self/fd')
    .map((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`);
      } catch {
        return '';
      }
    })
    .filter((path) => /^(?:pipe|socket):/.test(path));
}

describe('a good session', () => {
  it('answers, records before it forwards, and ends with nothing left', async () => {
    const session = await openSession();
    const list = await session.request(1, 'tools/list');
    expect((list.result as { tools: { name: string }[] }).tools.map((tool) => tool.name)).toEqual([
      'echo',
      'act',
    ]);
    const echo = await session.request(2, 'tools/call', {
      name: 'echo',
      arguments: { message: '/srv/data/a.txt' },
    });
    expect(echo.result).toEqual({ content: [{ type: 'text', text: '/srv/data/a.txt' }] });
    expect(await session.close()).toEqual({ reason: 'client closed', error: null });
    expect(isAlive(session.process()?.pid)).toBe(false);
    const records = await session.records();
    expect(records.filter(({ kind }) => kind === 'server.state').map(({ detail }) => detail)).toMatchObject([
      { from: 'COLD', to: 'STARTING' },
      { from: 'STARTING', to: 'READY', isolation: { driver: 'plain' } },
      { from: 'READY', to: 'DRAINING' },
      { from: 'DRAINING', to: 'COLD' },
    ]);
    const said = records.filter(({ kind }) => kind !== 'server.state');
    expect(said.map(({ kind }) => kind)).toEqual([
      'session.started',
      'request.forwarded',
      'request.finished',
      'request.forwarded',
      'request.finished',
      'session.ended',
    ]);
    expect(said[0]?.detail).toMatchObject({ era: 'session', client: { name: 'test' } });
    expect(said[3]).toMatchObject({
      user: 'erin',
      target: 'echo',
      arguments: { message: '/srv/data/a.txt' },
      data: ['/srv/data/a.txt'],
      subject: { approvedBy: ['alice', 'bob'] },
    });
    expect(said[4]).toMatchObject({ call: said[3]?.call, outcome: 'ok' });
    await verifyJournal(`${session.dir}/journal`);
  });

  it('answers what was asked before the client closed', async () => {
    const session = await startSession();
    session.send(
      { id: 1, method: 'initialize', params: INITIALIZE },
      { id: 2, method: 'tools/call', params: { name: 'echo', arguments: { message: 'hi' } } },
    );
    await session.close();
    expect(session.received.map((message) => message.id)).toEqual([1, 2]);
  });

  it('answers with the version that the client asked for', async () => {
    const session = await startSession();
    const hello = await session.request(1, 'initialize', { ...INITIALIZE, protocolVersion: '2024-11-05' });
    expect(hello.result).toMatchObject({ protocolVersion: '2024-11-05', serverInfo: { name: 'scripted' } });
    await session.close();
  });

  it('is discovered by a stateless client, though its server knows sessions alone', async () => {
    const session = await startSession();
    const answer = await session.request(1, 'server/discover', {
      _meta: { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' },
    });
    expect(answer.result).toMatchObject({ supportedVersions: ['2026-07-28'], resultType: 'complete' });
    await session.close();
  });
});

describe('a server that is not the locked one', () => {
  it.each(['instructed'])('%s: refuses the session before anything is answered', async (how) => {
    const session = await startSession({ how });
    expect(codeOf(await session.request(1, 'initialize', INITIALIZE))).toBe('SURFACE_DRIFT');
    expect((await session.end).error?.code).toBe('SURFACE_DRIFT');
    expect(isAlive(session.process()?.pid)).toBe(false);
    expect((await session.records()).map((record) => record.kind)).toContain('session.refused');
  });

  it.each([
    ['reworded', 'echo', 'TOOL_DRIFTED'],
    ['flipped', 'echo', 'TOOL_DRIFTED'],
    ['extra', 'shell', 'TOOL_REFUSED'],
  ])('%s: %s is hidden, refused and recorded', async (how, tool, code) => {
    const session = await openSession({ how });
    const { tools } = (await session.request(1, 'tools/list')).result as { tools: { name: string }[] };
    expect(tools.map(({ name }) => name)).not.toContain(tool);
    expect(codeOf(await session.request(2, 'tools/call', { name: tool, arguments: { message: 'x' } }))).toBe(
      code,
    );
    await session.close();
    expect(session.calls()).toEqual([]);
    expect(
      (await session.records())
        .filter((record) => record.kind === 'surface.drift')
        .map((record) => record.target),
    ).toContain(tool);
  });

  it('records a locked tool that is missing', async () => {
    const session = await openSession({ how: 'gone' });
    await session.close();
    expect((await session.records()).find((record) => record.kind === 'surface.drift')).toMatchObject({
      target: 'act',
      detail: { standing: 'missing' },
    });
  });

  it.each([
    ['silent', 'SERVER_SILENT'],
    ['dies', 'SERVER_DIED'],
    ['long', 'FRAME_TOO_LARGE'],
    ['doublekeys', 'SERVER_SILENT'],
    ['twice', 'SURFACE_UNREADABLE'],
  ])('%s in the handshake: %s, and no process and no descriptor stays', async (how, code) => {
    // A journal has one of its own, as long as it is open.
    const journal = await openJournal(join(tempDir(), 'journal'));
    const before = openDescriptors();
    // Only who stays silent is waited for; a long line takes its time on a busy machine.
    const session = await startSession({
      how,
      journal,
      handshakeMs: code === 'SERVER_SILENT' ? 1500 : 20_000,
    });
    const answer = await session.request(1, 'initialize', INITIALIZE);
    expect(codeOf(answer)).toBe(code);
    await session.end;
    expect(isAlive(session.process()?.pid)).toBe(false);
    await expect.poll(() => openDescriptors().filter((one) => !before.includes(one))).toEqual([]);
    expect(process.memoryUsage().rss).toBeLessThan(1.5e9);
  });
});

describe('a tool that changes while the server runs', () => {
  it('is read again on list_changed, hidden, and its calls are refused', async () => {
    const session = await openSession();
    await session.request(1, 'tools/call', { name: 'act', arguments: { what: 'change' } });
    await session.next((message) => message.method === 'notifications/tools/list_changed');
    const { tools } = (await session.request(2, 'tools/list')).result as { tools: { name: string }[] };
    expect(tools.map((tool) => tool.name)).toEqual(['act']);
    expect(
      codeOf(await session.request(3, 'tools/call', { name: 'echo', arguments: { message: 'x' } })),
    ).toBe('TOOL_DRIFTED');
    await session.close();
    expect(session.calls()).toHaveLength(1);
  });
});

describe('what a client may not send', () => {
  it.each<[string, object | string, string]>([
    [
      'an unlisted tool',
      { id: 1, method: 'tools/call', params: { name: 'shell', arguments: {} } },
      'TOOL_REFUSED',
    ],
    [
      'a tool named like a prototype member',
      { id: 1, method: 'tools/call', params: { name: 'constructor', arguments: {} } },
      'TOOL_REFUSED',
    ],
    [
      'arguments that do not fit',
      { id: 1, method: 'tools/call', params: { name: 'echo', arguments: { message: 7 } } },
      'ARGUMENTS_INVALID',
    ],
    [
      'arguments besides',
      { id: 1, method: 'tools/call', params: { name: 'echo', arguments: { message: 'x', more: 1 } } },
      'ARGUMENTS_INVALID',
    ],
    ['no arguments', { id: 1, method: 'tools/call', params: { name: 'echo' } }, 'ARGUMENTS_INVALID'],
    ['an unknown method', { id: 1, method: 'tools/install', params: {} }, 'METHOD_REFUSED'],
    ['a method of another era', { id: 1, method: 'subscriptions/listen', params: {} }, 'METHOD_REFUSED'],
    ['a second initialize', { id: 1, method: 'initialize', params: INITIALIZE }, 'METHOD_REFUSED'],
    ['a prompt nobody locked', { id: 1, method: 'prompts/get', params: { name: 'x' } }, 'TOOL_REFUSED'],
    [
      'a resource nobody locked',
      { id: 1, method: 'resources/read', params: { uri: 'file:///etc/passwd' } },
      'TOOL_REFUSED',
    ],
    ['a call without a name', { id: 1, method: 'tools/call', params: {} }, 'FRAME_INVALID'],
    ['no JSON', 'hello', 'JSON_INVALID'],
    [
      'a duplicate key',
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","name":"act","arguments":{}}}',
      'JSON_INVALID',
    ],
    ['a batch', '[{"jsonrpc":"2.0","id":1,"method":"ping"}]', 'FRAME_INVALID'],
    ['a null id', '{"jsonrpc":"2.0","id":null,"method":"ping"}', 'FRAME_INVALID'],
    ['another version of JSON-RPC', '{"id":1,"method":"ping"}', 'FRAME_INVALID'],
  ])('%s: refused, recorded once, never forwarded', async (_name, message, code) => {
    const session = await openSession();
    session.send(message as never);
    expect(codeOf(await session.next((answer) => answer.error !== undefined))).toBe(code);
    await session.close();
    expect(session.calls()).toEqual([]);
    const refusals = (await session.records()).filter((record) => record.kind === 'request.refused');
    expect(refusals).toHaveLength(1);
    expect(refusals[0]).toMatchObject({ user: 'erin', outcome: 'refused', code, direction: 'to-server' });
  });

  it('refuses an id that is in flight', async () => {
    const session = await openSession();
    const call = { id: 5, method: 'tools/call', params: { name: 'echo', arguments: { message: 'a' } } };
    session.send(call, call);
    const answers = [
      await session.next((m) => m.id === 5 && m.error !== undefined),
      await session.next((m) => m.id === 5 && m.result !== undefined),
    ];
    expect(codeOf(answers[0] ?? {})).toBe('ID_DUPLICATE');
    await session.close();
    expect(session.calls()).toHaveLength(1);
  });

  it('refuses calls once the lock has ended', async () => {
    let expires = Number.POSITIVE_INFINITY;
    const session = await openSession({ lockExpires: () => expires });
    expires = Date.now();
    expect(
      codeOf(await session.request(1, 'tools/call', { name: 'echo', arguments: { message: 'x' } })),
    ).toBe('LOCK_EXPIRED');
    await session.close();
    expect(session.calls()).toEqual([]);
  });

  it('refuses a line over the limit without keeping it', async () => {
    const session = await openSession();
    session.send(`{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":"${'a'.repeat(9 * 1024 * 1024)}"}}`);
    expect((await session.end).error?.code).toBe('FRAME_TOO_LARGE');
    expect(isAlive(session.process()?.pid)).toBe(false);
  });
});

describe('what a server may not send', () => {
  it('drops lines that are no messages and answers nobody asked for, with a record', async () => {
    const session = await openSession();
    await session.request(1, 'tools/call', { name: 'act', arguments: { what: 'noise' } });
    await session.close();
    expect(session.received.map((message) => message.id)).toEqual([0, 1]);
    expect((await session.records()).filter((record) => record.kind === 'response.refused')).toHaveLength(2);
  });

  it('refuses a request for a capability the client did not declare, and one nobody knows', async () => {
    const session = await openSession();
    await session.request(1, 'tools/call', { name: 'act', arguments: { what: 'sample' } });
    await session.request(2, 'tools/call', { name: 'act', arguments: { what: 'odd' } });
    await session.close();
    expect(session.received.filter((message) => message.method !== undefined)).toEqual([]);
    expect(
      session
        .calls()
        .filter((entry) => entry.answer)
        .map((entry) => (entry.answer as { error: { code: number } }).error.code),
    ).toEqual([-32601, -32601]);
    const refusals = (await session.records()).filter(
      (record) => record.kind === 'request.refused' && record.direction === 'to-client',
    );
    expect(refusals.map((record) => record.method)).toEqual(['sampling/createMessage', 'client/secrets']);
  });

  it('passes a request for a declared capability and the answer back', async () => {
    const session = await startSession();
    await session.request(0, 'initialize', { ...INITIALIZE, capabilities: { sampling: {} } });
    session.send({ id: 1, method: 'tools/call', params: { name: 'act', arguments: { what: 'sample' } } });
    const asked = await session.next((message) => message.method === 'sampling/createMessage');
    session.send({ id: asked.id as string, result: { role: 'assistant' } });
    await session.next((message) => message.id === 1);
    await session.close();
    expect(session.calls().at(-1)).toMatchObject({ answer: { id: 'srv-1', result: { role: 'assistant' } } });
  });

  it('passes progress', async () => {
    const session = await openSession();
    const params = { name: 'act', arguments: { what: 'progress' }, _meta: { progressToken: 't' } };
    session.send({ id: 1, method: 'tools/call', params });
    expect((await session.next((message) => message.method === 'notifications/progress')).params).toEqual({
      progressToken: 't',
      progress: 1,
    });
    await session.close();
  });

  it.each([
    ['flood', 'FRAME_TOO_LARGE'],
    ['die', 'SERVER_DIED'],
  ])('%s: the call is told, the session ends, nothing stays', async (what, code) => {
    const session = await openSession();
    expect(codeOf(await session.request(1, 'tools/call', { name: 'act', arguments: { what } }))).toBe(code);
    expect((await session.end).error?.code).toBe(code);
    expect(isAlive(session.process()?.pid)).toBe(false);
    expect((await session.records()).find((record) => record.kind === 'request.finished')).toMatchObject({
      outcome: 'lost',
    });
  });
});

describe('secrets', () => {
  it('are never in the journal', async () => {
    const session = await openSession();
    await session.request(1, 'tools/call', {
      name: 'act',
      arguments: { what: 'x', api_key: 'sk-live-123', nested: { password: 'hunter2' } },
    });
    await session.close();
    const text = JSON.stringify(await session.records());
    expect(text).not.toContain('sk-live-123');
    expect(text).not.toContain('hunter2');
    expect(text).toContain('[secret hmac-sha256:');
  });
});

describe('a message that others would read as several', () => {
  const inner = '{"jsonrpc":"2.0","id":77,"method":"tools/call","params":{"name":"shell"}}';
  it('never reaches the server', async () => {
    const session = await openSession();
    session.send(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"x":\r${inner}\r}}`);
    const answer = await session.next((message) => message.id === null);
    expect(JSON.stringify(answer)).toContain('FRAME_INVALID');
    await session.request(2, 'tools/call', { name: 'echo', arguments: { message: 'x' } });
    expect(session.calls()).toEqual([{ call: { name: 'echo', arguments: { message: 'x' } } }]);
    await session.close();
  });

  it('never reaches the client', async () => {
    const session = await openSession();
    await session.request(2, 'tools/call', { name: 'act', arguments: { what: 'return' } });
    expect(session.received.filter((message) => message.id === 5)).toEqual([]);
    await session.close();
  });
});

describe('numbers that are written in several ways', () => {
  it('break no journal: what could not be read back is refused', async () => {
    const session = await openSession();
    session.send(
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"act","arguments":{"what":"x","n":1e+16}}}',
    );
    expect(JSON.stringify(await session.next((message) => message.id === null))).toContain('JSON_INVALID');
    await session.request(2, 'tools/call', { name: 'act', arguments: { what: 'number' } });
    await session.close();
    await expect(verifyJournal(join(session.dir, 'journal'))).resolves.toMatchObject({ journals: 1 });
  });
});

describe('what waits and what floods', () => {
  it('a cancelled call frees its place, and its late answer is nobody’s fault', async () => {
    const session = await openSession();
    for (let id = 10; id < 10 + MAX_IN_FLIGHT; id++) {
      session.send({ id, method: 'tools/call', params: { name: 'act', arguments: { what: 'never' } } });
      session.send({ method: 'notifications/cancelled', params: { requestId: id } });
    }
    await session.records();
    const answer = await session.request(2, 'tools/call', {
      name: 'echo',
      arguments: { message: 'still here' },
    });
    expect(JSON.stringify(answer)).toContain('still here');
    expect(await session.close()).toMatchObject({ error: null });
  });

  it('late answers to cancelled calls are no flood, however many', async () => {
    const session = await openSession();
    for (let id = 10; id < 9 + MAX_IN_FLIGHT; id++) {
      session.send({ id, method: 'tools/call', params: { name: 'act', arguments: { what: 'late' } } });
      session.send({ method: 'notifications/cancelled', params: { requestId: id } });
    }
    const settled = await session.request(2, 'tools/call', { name: 'act', arguments: { what: 'settle' } });
    expect(JSON.stringify(settled)).toContain('did settle');
    expect(session.received.filter(({ id }) => Number(id) >= 10)).toEqual([]);
    expect(await session.close()).toMatchObject({ error: null });
  });

  it.each([
    ['answers that nobody asked for', 'unbound', 'RATE_LIMITED'],
    ['large answers that nobody asked for', 'large answers', 'RATE_LIMITED'],
    ['notices', 'notices', 'RATE_LIMITED'],
    ['large notices', 'large notices', 'RATE_LIMITED'],
    ['nothing more, though it runs on', 'closeout', 'SERVER_DIED'],
  ])('a server that sends %s ends the session', async (_, what, code) => {
    const session = await openSession();
    session.send({ id: 2, method: 'tools/call', params: { name: 'act', arguments: { what } } });
    expect(await session.end).toMatchObject({ error: { code } });
  });

  it.each([
    ['lists that never rest', 'restless', 'RATE_LIMITED'],
    ['pages that never end', 'endless', 'SURFACE_UNREADABLE'],
  ])('%s end the session', async (_, how, code) => {
    const session = await startSession({ how });
    session.send({ id: 0, method: 'initialize', params: INITIALIZE });
    expect(await session.end).toMatchObject({ error: { code } });
  });

  it('a large secret costs one hash', async () => {
    const session = await openSession();
    await session.request(2, 'tools/call', { name: 'act', arguments: { what: 'secrets' } });
    await session.close();
    const [notice] = (await session.records()).filter(({ method }) => method === 'notifications/message');
    expect(JSON.stringify(notice?.arguments)).toMatch(
      /^\{"level":"info","token":"\[secret hmac-sha256:[0-9a-f]{32}\]"\}$/,
    );
  });

  it('is told to stop, and stops with its server', async () => {
    const stop = new AbortController();
    const session = await openSession({ stop: stop.signal });
    stop.abort();
    expect(await session.end).toEqual({ reason: 'stopped', error: null });
    expect((await session.records()).at(-1)).toMatchObject({ kind: 'session.ended', detail: 'stopped' });
  });
});

describe('a client’s answer to the server', () => {
  it('is not handed over once the journal cannot keep its record', async () => {
    const dir = tempDir();
    const journal = await openJournal(join(dir, 'journal'));
    const session = await startSession({ journal });
    session.send({ id: 0, method: 'initialize', params: { ...INITIALIZE, capabilities: { sampling: {} } } });
    await session.next((message) => message.id === 0);
    session.send({ id: 1, method: 'tools/call', params: { name: 'act', arguments: { what: 'sample' } } });
    await session.next((message) => message.method === 'sampling/createMessage');
    rmSync(dir, { recursive: true });
    session.send({ id: 'srv-1', result: { role: 'assistant', content: 'secret' } });
    await session.close();
    expect(session.calls().filter((entry) => 'answer' in entry)).toEqual([]);
  });
});

describe('an answer that cannot be summed up', () => {
  it.each([
    ['judged here', 10],
    ['judged on another thread', 300_000],
  ])('%s: it ends its session, is recorded without its sum, and reaches nobody else', async (_, size) => {
    const real = await openJournal(join(tempDir(), 'journal'));
    let unreadable = false;
    const journal: Journal = {
      ...real,
      get key() {
        const failing = unreadable;
        unreadable = false;
        if (failing) throw new Error('no key');
        return real.key;
      },
      note: (noted) =>
        real.note(() => {
          unreadable = typeof noted === 'function';
          return bodyOf(noted);
        }),
    };
    const [session, beside] = await Promise.all([openSession({ journal }), openSession({ journal: real })]);
    const asked = { name: 'echo', arguments: { message: 'x'.repeat(size) } };
    expect((await session.request(1, 'tools/call', asked)).result).toBeDefined();
    expect(await session.end).toMatchObject({ reason: 'refused' });
    expect((await beside.request(1, 'tools/call', asked)).result).toBeDefined();
    await beside.close();
    const ends: AuditBody[] = [];
    await real.settle();
    for await (const { body } of readJournal(join(real.dir, '..')))
      if (body.kind === 'request.finished') ends.push(body);
    expect(ends.map(({ message }) => message?.includes('no key') ?? false)).toEqual([true, false]);
    expect(ends.map(({ result }) => result === undefined)).toEqual([true, false]);
    await real.close();
  });
});
