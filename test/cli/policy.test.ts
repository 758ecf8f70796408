/** lk policy, on one person's machine with a locked project. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Context, parseWords, type Result } from '../../cli/command.ts';
import { policy } from '../../cli/commands/policy.ts';
import { Replay } from '../../cli/policy/replay.ts';
import { openJournal } from '../../runtime/journal/journal.ts';
import { openPolicy } from '../../runtime/policy/open.ts';
import { openBlobs } from '../../runtime/store/blobs.ts';
import type { AuditBody } from '../../schemas/audit.ts';
import type { Json, JsonObject } from '../../schemas/common.ts';
import { canonical, sha256 } from '../../schemas/json.ts';
import { lockPolicyOf, renderLockFile } from '../../schemas/lock.ts';
import { pinSurface, type Surface } from '../../schemas/surface.ts';
import { machine, refusal } from '../helpers/machine.ts';
import { surface as base, makeEntry, makeLock, NOW, pin } from '../helpers/trust.ts';

const surface: Surface = {
  ...base,
  tools: {
    forecast: { name: 'forecast', inputSchema: { type: 'object' }, annotations: { readOnlyHint: true } },
    report: { name: 'report', inputSchema: { type: 'object' } },
  },
  prompts: { sum: { name: 'sum' } },
  resourceTemplates: { 'city://{name}': { name: 'city', uriTemplate: 'city://{name}' } },
};
const TEXT = `team interns = ada@example.com
everyone: everything locked
interns: no write tools
everyone: ask two people before tool report of the weather server, where path is not below /data
`;

async function project(text: string, locked = text): Promise<Context> {
  const context = { ...machine(), now: () => NOW };
  const stored = await (await openBlobs(join(context.home.storeDir, 'blobs'))).put(
    Buffer.from(canonical(surface as unknown as Json)),
  );
  const entry = {
    ...makeEntry(),
    request: { server: 'acme.tools/weather', range: '*' },
    surface: pinSurface(surface),
    surfaceText: stored.digest,
  };
  const file = makeLock({
    entry,
    lock: (lock) => void Object.assign(lock, { policy: lockPolicyOf(locked) }),
  });
  const intent = {
    lockkeeper: 'intent/v1',
    project: 'acme/app',
    environment: 'development',
    registry: 'http://127.0.0.1:7411',
    trust: pin,
    servers: { weather: entry.request },
  };
  writeFileSync(join(context.cwd, 'mcp.lock'), renderLockFile(file));
  writeFileSync(join(context.cwd, 'lockkeeper.json'), JSON.stringify(intent));
  writeFileSync(join(context.cwd, 'lockkeeper.policy'), text);
  const signIn = {
    registry: intent.registry,
    person: 'erin',
    token: `lk_${'x'.repeat(43)}`,
    expires: '2027-01-01T00:00:00.000Z',
    ...pin,
  };
  writeFileSync(
    join(context.home.dir, 'credentials.json'),
    JSON.stringify({ lockkeeper: 'credentials/v1', signIns: [signIn] }),
    { mode: 0o600 },
  );
  return context;
}

async function lk(context: Context, ...argv: string[]): Promise<Result & { data: JsonObject }> {
  const { words, values } = parseWords('policy', policy, argv);
  return (await policy.run(context, words, values)) as Result & { data: JsonObject };
}

describe('lk policy check', () => {
  it('says that it is understood, and whether the lock carries it', async () => {
    const same = await lk(await project(TEXT), 'check');
    expect(same.text).toContain('The lock carries exactly this policy.');
    expect(same.data).toMatchObject({ lines: 3, digest: sha256(TEXT), locked: sha256(TEXT) });
    expect((await lk(await project(TEXT, `${TEXT}\n`), 'check')).text).toContain('Next: lk lock');
  });

  it('warns of what is likely to be a mistake', async () => {
    const text = `team nobody = x@example.com
everyone: all locked tools, in production
everyone: all locked tools, until 2026-11-23
everyone: resource city://{name} of the weather server
everyone: no closed-world tools
everyone: not all locked tools, where path is below /etc
`;
    const { data } = await lk(await project(text), 'check');
    expect(data.warnings).toEqual([
      { line: 0, text: 'no line speaks of the team nobody' },
      { line: 0, text: expect.stringContaining('symbolic links') },
      { line: 0, text: expect.stringContaining('2 tools without reviewed labels') },
      { line: 2, text: expect.stringContaining('it can never match') },
      { line: 3, text: expect.stringContaining('its last day is over') },
      { line: 5, text: expect.stringContaining('it can never match') },
    ]);
    expect((await lk(await project(''), 'check')).text).toContain('every call is refused');
  });

  it('refuses what is not understood, a file that is not there, and words it does not know', async () => {
    expect(await refusal(lk(await project('everyone: the docs server', TEXT), 'check'))).toMatchObject({
      code: 'POLICY_INVALID',
      message: expect.stringContaining('line 1'),
    });
    const context = await project(TEXT);
    expect(await refusal(lk(context, 'check', '--policy', 'none'))).toMatchObject({ code: 'POLICY_MISSING' });
    for (const words of [['chekc'], ['check', 'more'], ['test']])
      expect(await refusal(lk(context, ...words))).toMatchObject({ code: 'USAGE' });
  });
});

describe('lk policy show', () => {
  it('prints each line as the Cedar that it is', async () => {
    const { text } = await lk(await project(TEXT), 'show');
    expect(text).toContain(`// line 3: interns: no write tools
forbid (principal in Team::"~interns", action == Action::"call", resource)
when { !resource.readOnly };`);
    expect(text).toContain('@ask("2")');
    expect(text).toContain('context.maybe.contains("path is not below /data")');
    expect(text).toContain('// toxic flows');
  });
});

describe('lk policy test', () => {
  const CASES = [
    { caller: 'ada@example.com', server: 'weather', tool: 'forecast', expect: 'allow' },
    { caller: 'ada@example.com', server: 'weather', tool: 'report', expect: 'deny' },
    {
      caller: 'bob@example.com',
      server: 'weather',
      tool: 'report',
      arguments: { path: '/data/x' },
      expect: 'allow',
    },
    { caller: 'bob@example.com', server: 'weather', tool: 'report', expect: 'ask two people' },
    { caller: { user: 'local:bob', via: 'nobody' }, server: 'weather', tool: 'forecast', expect: 'deny' },
    { caller: 'bob@example.com', server: 'weather', prompt: 'sum', expect: 'allow' },
    { caller: 'bob@example.com', server: 'weather', resource: 'city://berlin', expect: 'allow' },
    {
      caller: 'bob@example.com',
      server: 'weather',
      tool: 'forecast',
      read: ['untrusted', 'private'],
      expect: 'deny',
    },
  ];
  const run = async (cases: readonly object[]): Promise<Result & { data: JsonObject }> => {
    const context = await project(TEXT);
    writeFileSync(join(context.cwd, 'cases.json'), JSON.stringify({ lockkeeper: 'policy-test/v1', cases }));
    return lk(context, 'test', 'cases.json');
  };

  it('exits 0 where every case is as expected', async () => {
    const { exit, text, data } = await run(CASES);
    expect(text).toContain('All 8 cases are as expected.');
    expect(exit).toBe(0);
    expect(data.failed).toBe(0);
  });

  it.each(CASES.map((one, index) => [index, one.expect === 'deny' ? 'allow' : 'deny'] as const))(
    'exits 3 where case %i expects %s',
    async (index, wrong) => {
      const { exit, text, data } = await run(
        CASES.map((one, at) => (at === index ? { ...one, expect: wrong } : one)),
      );
      expect(exit).toBe(3);
      expect(text).toContain('1 of 8 cases are not as expected.');
      expect((data.cases as { ok: boolean }[]).map(({ ok }) => ok).indexOf(false)).toBe(index);
    },
  );

  it.each<[string, readonly object[], string]>([
    ['no cases', [], 'DOCUMENT_INVALID'],
    ['a tool that is not locked', [{ ...CASES[0], tool: 'other' }], 'USAGE'],
    ['a server that is not locked', [{ ...CASES[0], server: 'other' }], 'USAGE'],
    ['two things at once', [{ ...CASES[0], prompt: 'sum' }], 'USAGE'],
    ['nothing', [{ caller: 'a', server: 'weather', expect: 'deny' }], 'USAGE'],
    ['a word of its own', [{ ...CASES[0], expect: 'maybe' }], 'DOCUMENT_INVALID'],
  ])('refuses %s', async (_, cases, code) => {
    expect(await refusal(run(cases))).toMatchObject({ code });
  });
});

describe('lk policy replay', () => {
  const subject = {
    server: 'acme.tools/weather',
    version: '1.2.3',
    lock: sha256('lock'),
    closure: sha256('closure'),
    surface: sha256('surface'),
    approvedBy: ['alice'],
  };
  const call = (number: number, change: Partial<AuditBody>): AuditBody => ({
    kind: 'request.forwarded',
    at: NOW.toISOString(),
    runtime: 'j-1',
    session: 's',
    user: 'ada@example.com',
    caller: { via: 'sign-in', teams: [] },
    subject,
    direction: 'to-server',
    method: 'tools/call',
    target: 'forecast',
    call: `s/${number}`,
    arguments: {},
    ...change,
  });
  const replay = async (text: string, records: readonly AuditBody[]): Promise<JsonObject> => {
    const context = await project(TEXT);
    const dir = join(context.cwd, 'recorded');
    mkdirSync(dir);
    const journal = await openJournal(dir);
    for (const body of records) await journal.append({ ...body, runtime: journal.id });
    await journal.close();
    writeFileSync(join(context.cwd, 'changed.policy'), text);
    return (await lk(context, 'replay', '--journal', dir, '--policy', 'changed.policy')).data;
  };

  it('tells what would differ, by which rule', async () => {
    const data = await replay('everyone: read tools\n', [
      call(1, {}),
      call(2, { target: 'report' }),
      call(3, { kind: 'request.refused', target: 'report', code: 'POLICY_REFUSED' }),
      call(4, { kind: 'request.refused', code: 'POLICY_REFUSED' }),
      call(5, { kind: 'request.refused', code: 'ARGUMENTS_INVALID' }),
      call(6, { subject: { ...subject, server: 'acme.tools/other' } }),
      call(7, { target: 'gone' }),
      call(8, { method: 'tools/list' }),
      call(9, { kind: 'call.waiting', target: 'report' }),
      call(9, { kind: 'request.forwarded', target: 'report' }),
    ]);
    expect(data).toMatchObject({ calls: 7, same: 2, differ: 3, hidden: 0, gone: 2 });
    expect(data.differences).toEqual([
      expect.objectContaining({
        what: 'report',
        was: 'allow',
        now: 'deny',
        rule: 'default: no line permits it',
      }),
      expect.objectContaining({
        what: 'forecast',
        was: 'deny',
        now: 'allow',
        rule: 'line 1: everyone: read tools',
      }),
      expect.objectContaining({ what: 'report', was: 'ask', now: 'deny' }),
    ]);
  });

  it('does not guess where a decision rests on what the journal hides', async () => {
    const secret = `[secret hmac-sha256:${'a'.repeat(32)}]`;
    const text = 'everyone: all locked tools, where path is below /data\n';
    const data = await replay(text, [
      call(1, { arguments: { path: '/data/x', token: secret } }),
      call(2, { arguments: { path: secret } }),
      call(3, { arguments: { path: `/data/${'x'.repeat(10)}… (5000 characters)` } }),
      call(4, { arguments: { path: '/etc', other: secret } }),
    ]);
    expect(data).toMatchObject({ calls: 4, same: 1, differ: 1, hidden: 2 });
    expect((data.differences as JsonObject[]).map(({ now }) => now)).toEqual(['hidden', 'hidden', 'deny']);
  });

  it('takes neither of two aliases of one release for the other', () => {
    const approved = { approvedBy: [], approvals: [], request: { server: makeEntry().server, range: '*' } };
    const entry = { ...makeEntry(), surface: pinSurface(surface), ...approved };
    const newer = { ...entry, closure: { ...entry.closure, digest: sha256('newer') } };
    const entries = new Map([
      ['first', entry],
      ['second', entry],
      ['newer', newer],
    ]);
    const surfaces = new Map([...entries.keys()].map((alias) => [alias, surface]));
    const run = (text: string, closure: string, alias = {}): object => {
      const at = { text, digest: sha256(text), environment: 'development', entries, surfaces } as const;
      const replayed = new Replay(openPolicy(at), entries);
      replayed.take(call(1, { subject: { ...subject, server: entry.server, closure, ...alias } }));
      return replayed.result;
    };
    const both = 'everyone: the first server\neveryone: the second server\n';
    const one = 'everyone: the second server\n';
    expect(run(both, entry.closure.digest)).toMatchObject({ calls: 1, same: 1, hidden: 0 });
    const rule = expect.stringContaining(', or ');
    expect(run(one, entry.closure.digest)).toMatchObject({
      hidden: 1,
      differences: [{ now: 'hidden', rule }],
    });
    // Where the record names the one that was called, it is that one.
    const [second, first] = [
      run(one, entry.closure.digest, { alias: 'second' }),
      run(one, entry.closure.digest, { alias: 'first' }),
    ];
    expect(second).toMatchObject({ same: 1, hidden: 0, differ: 0 });
    expect(first).toMatchObject({ same: 0, hidden: 0, differ: 1, differences: [{ now: 'deny' }] });
    // An alias that this lock has not says nothing of it.
    expect(run(one, entry.closure.digest, { alias: 'gone' })).toMatchObject({ hidden: 1 });
    // Of another release: it was not called at these two.
    expect(run(both, newer.closure.digest)).toMatchObject({ hidden: 0, differences: [{ now: 'deny' }] });
  });

  it('follows what each person read, or each session', async () => {
    const done = (number: number): AuditBody => {
      const {
        direction: _,
        arguments: __,
        ...rest
      } = call(number, { kind: 'request.finished', outcome: 'ok' });
      return rest;
    };
    const text = 'everyone: all locked tools\ntoxic flows: unlabelled tools count as all\n';
    const later = { session: 'later', at: '2027-11-24T12:00:00.000Z' };
    const calls = [
      ...[call(1, {}), done(1), call(2, {}), call(3, { session: 'other' })],
      ...[call(4, { user: 'somebody' }), call(5, later)],
    ];
    const data = await replay(text, calls);
    const toxic = expect.objectContaining({ was: 'allow', now: 'deny', rule: 'toxic flows' });
    expect(data).toMatchObject({ calls: 5, same: 3, differ: 2, differences: [toxic, toxic] });
    const each = await replay(`toxic flows: each credential by itself\n${text}`, calls.slice(0, 4));
    expect(each).toMatchObject({ calls: 3, same: 2, differ: 1, differences: [toxic] });
  });
});
