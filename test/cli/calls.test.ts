/** lk calls and lk fleet as people type them, at a real registry, with a key of their own. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CallFacts, callId } from '../../schemas/call.ts';
import type { JsonObject } from '../../schemas/common.ts';
import { digestOf } from '../../schemas/json.ts';
import { callFacts } from '../helpers/calls.ts';
import { lkHere } from '../helpers/here.ts';
import { servers, startTestRegistry, type TestRegistry } from '../helpers/registry.ts';

describe.each(servers().slice(0, 1))('the command line', (server) => {
  let registry: TestRegistry;
  let home: string;
  let closureDigest: string;

  const lk = (...words: string[]): ReturnType<typeof lkHere> =>
    lkHere(words, { ...process.env, LOCKKEEPER_HOME: home, NO_COLOR: '1' });
  const asked = async (
    change: Partial<CallFacts> = {},
    args: JsonObject = { path: '/srv' },
  ): Promise<string> => {
    const facts = callFacts({ closureDigest, ...change }, args);
    await registry.call('gateway', 'POST', '/v1/calls', { facts, arguments: args });
    return callId(facts);
  };
  const stateOf = async (id: string): Promise<string> =>
    (await registry.call('root', 'GET', `/v1/calls/${id}`)).body.state;

  beforeAll(async () => {
    registry = await startTestRegistry(server);
    await registry.person('dave', 'publisher');
    await registry.person('root', 'admin');
    await registry.person('gateway', 'runtime');
    const id = await registry.approved('dave', [
      await registry.reviewer('alice'),
      await registry.reviewer('bob'),
    ]);
    closureDigest = (await registry.call('alice', 'GET', `/v1/releases/${id}`)).body.closure.digest;
    const url = await registry.app.listen({ host: '127.0.0.1', port: 0 });
    home = mkdtempSync(join(tmpdir(), 'lk-calls-'));
    const signIn = {
      registry: url,
      person: 'carol',
      token: await registry.person('carol', 'reviewer'),
      expires: new Date(Date.now() + 3_600_000).toISOString(),
      rootKeys: [],
      threshold: 1,
    };
    writeFileSync(
      join(home, 'credentials.json'),
      JSON.stringify({ lockkeeper: 'credentials/v1', signIns: [signIn] }),
    );
    for (const verb of ['new', 'enrol']) expect((await lk('keys', verb)).exit).toBe(0);
  });
  afterAll(async () => {
    await registry?.close();
    rmSync(home, { recursive: true, force: true });
  });

  it('lists, shows and approves a call, and shows hidden characters', async () => {
    expect((await lk('calls')).stdout).toBe('No call waits for anybody.\n');
    const id = await asked({ tool: 'push\u202e' }, { text: 'a\u200bb\nc' });
    const [head = '', row = ''] = (await lk('calls')).stdout.split('\n');
    expect(row.startsWith(`${id}  push\\u{202e}  acme.tools/weather 1.2.3  erin  0 of 1`)).toBe(true);
    expect(head.indexOf('SERVER')).toBe(row.indexOf('acme.tools'));
    const shown = (await lk('calls', 'show', id)).stdout;
    expect(shown).toContain('"text": "a\\u{200b}b\\nc"');
    expect(shown).toMatch(/^For {10}erin$/m);
    const done = await lk('calls', 'approve', id);
    expect(done.stdout).toMatch(/^Tool {9}push\\u\{202e\}$[\s\S]*You approved it. It may pass now./m);
    expect(await stateOf(id)).toBe('approved');
    const again = await lk('calls', 'approve', id, '--json');
    expect([again.exit, JSON.parse(again.stdout).error.code]).toEqual([3, 'CALL_DECIDED']);
    expect((await lk('calls', '--all')).stdout).toContain('approved');
  });

  it('turns a call down, with a reason', async () => {
    const id = await asked();
    expect((await lk('calls', 'reject', id)).exit).toBe(2);
    expect(await stateOf(id)).toBe('waiting');
    const done = await lk('calls', 'reject', id, '--reason', 'not on a Friday', '--json');
    expect(JSON.parse(done.stdout).rejected).toEqual({ person: 'carol', reason: 'not on a Friday' });
  });

  it('approves nothing of one’s own, nothing unnamed, and nothing that is another under the name', async () => {
    const mine = await asked({ user: 'carol' });
    const refused = await lk('calls', 'approve', mine, '--json');
    expect([refused.exit, JSON.parse(refused.stdout).error.code]).toEqual([3, 'APPROVAL_REQUESTER']);
    const swapped = await asked();
    await registry.pool.query(
      'update calls set arguments = convert_to(\'{"path":"/harmless"}\', \'utf8\') where id = $1',
      [swapped],
    );
    const lied = await lk('calls', 'approve', swapped, '--json');
    expect([lied.exit, JSON.parse(lied.stdout).error.code]).toEqual([3, 'CALL_SUBJECT']);
    for (const words of [['approve'], ['approve', mine.slice(0, 8)], ['delete', mine], ['show', 'x']])
      expect((await lk('calls', ...words)).exit).toBe(2);
    for (const id of [mine, swapped]) expect(await stateOf(id)).toBe('waiting');
  });

  it('shows the fleet', async () => {
    expect((await lk('fleet')).stdout).toBe('Nothing runs, as far as runtimes say.\n');
    const one = {
      id: 'i-1',
      server: 'acme.tools/weather',
      version: '1.2.3',
      closureDigest,
      state: 'READY',
      since: '2026-11-24T12:00:00.000Z',
      lock: digestOf('lock'),
      lockVersion: 7,
      project: 'acme/app',
      user: 'erin\u202e',
      driver: 'podman',
    };
    const report = {
      runtime: 'j-1',
      host: 'build-7',
      instances: [one, { ...one, id: 'i-2', state: 'DEAD' }],
    };
    await registry.call('gateway', 'POST', '/v1/fleet', report);
    const [head, row = ''] = (await lk('fleet', '--state', 'READY')).stdout.split('\n');
    expect(head?.split(/ {2,}/)).toEqual([
      'HOST',
      'SERVER',
      'VERSION',
      'STATE',
      'RELEASE',
      'SINCE (UTC)',
      'LOCK',
      'USER',
      'DRIVER',
    ]);
    expect(row).toMatch(
      /^build-7 +acme\.tools\/weather +1\.2\.3 +READY +approved +2026-11-24 12:00 +acme\/app#7 [0-9a-f]{12} +erin\\u\{202e\} +podman$/,
    );
    expect(JSON.parse((await lk('fleet', '--json')).stdout).instances).toHaveLength(2);
    expect((await lk('fleet', '--state', 'GONE')).exit).toBe(2);
  });
});
