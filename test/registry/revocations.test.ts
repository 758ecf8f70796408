/** Revocations as the registry takes and tells them: over real sockets, with two replicas on one database. */
import { get, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { buildApp } from '../../registry/app.ts';
import { STATEMENT_TYPE } from '../../schemas/approval.ts';
import { type Envelope, seal } from '../../schemas/dsse.ts';
import { canonical, digestOf } from '../../schemas/json.ts';
import { type RevocationEvent, revocationOf } from '../../schemas/revocation.ts';
import { servers, startTestRegistry, submissionOf, type TestRegistry } from '../helpers/registry.ts';
import type { Key } from '../helpers/trust.ts';
import { until } from '../helpers/wait.ts';

interface Reader {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: () => string;
  readonly events: () => RevocationEvent[];
  readonly ended: Promise<void>;
  close(): void;
}

const open = new Set<Reader>();

function read(base: string, token: string, more: { query?: string; last?: string } = {}): Promise<Reader> {
  const headers: Record<string, string> = { authorization: `Bearer ${token}` };
  if (more.last) headers['last-event-id'] = more.last;
  return new Promise((resolve, reject) => {
    const request = get(`${base}/v1/revocations/stream${more.query ?? ''}`, { headers, agent: false });
    request.on('error', reject);
    request.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      const reader: Reader = {
        status: response.statusCode ?? 0,
        headers: response.headers,
        text: () => text,
        events: () =>
          [...text.matchAll(/^data: (.*)$/gm)].map(([, data = '']) => JSON.parse(data) as RevocationEvent),
        ended: new Promise((done) => response.once('close', done)),
        close: () => response.destroy(),
      };
      open.add(reader);
      resolve(reader);
    });
  });
}

describe.each(servers())('revocations on $name', (server) => {
  let registry: TestRegistry;
  let alice: Key;
  let bob: Key;
  let erin: string;
  let base: string;
  let version = 0;

  beforeAll(async () => {
    registry = await startTestRegistry(server, { streams: { perPerson: 3, total: 5, beatMs: 300 } });
    await registry.person('dave', 'publisher');
    await registry.person('root', 'admin');
    erin = await registry.person('erin', 'developer');
    alice = await registry.reviewer('alice');
    bob = await registry.reviewer('bob');
    await registry.app.listen({ host: '127.0.0.1', port: 0 });
    base = `http://127.0.0.1:${(registry.app.server.address() as AddressInfo).port}`;
  });
  afterEach(async () => {
    for (const reader of open) reader.close();
    open.clear();
    await sleep(50);
  });
  afterAll(() => registry.close());

  const approved = async (): Promise<{ id: number; version: string; closureDigest: string }> => {
    const wanted = `1.0.${++version}`;
    const id = await registry.approved('dave', [alice, bob], submissionOf(wanted));
    const { body } = await registry.call('alice', 'GET', `/v1/releases/${id}`);
    return { id, version: wanted, closureDigest: body.closure.digest };
  };
  const statement = (
    by: Key,
    { version: of, closureDigest }: { version: string; closureDigest: string },
    reason = 'found a hole',
  ): Envelope => {
    const facts = { server: 'acme.tools/weather', version: of, closureDigest };
    const said = revocationOf({ ...facts, reason, revokedBy: by.person, at: new Date().toISOString() });
    return seal(STATEMENT_TYPE, Buffer.from(canonical(said)), [by.key]);
  };
  const revoke = (as: string, id: number, envelope?: Envelope, reason = 'found a hole') =>
    registry.call(as, 'POST', `/v1/releases/${id}/revoke`, {
      reason,
      ...(envelope ? { envelope } : {}),
    });
  const listed = async (query = ''): Promise<RevocationEvent[]> =>
    (await registry.call('erin', 'GET', `/v1/revocations${query}`)).body.revocations;
  const stateOf = async (id: number): Promise<string> =>
    (await registry.call('alice', 'GET', `/v1/releases/${id}`)).body.state;

  it('is signed by one revoker, stored as it was signed, and named by the log', async () => {
    const release = await approved();
    const envelope = statement(alice, release);
    expect((await revoke('alice', release.id, envelope)).status).toBe(200);
    const event = (await listed()).at(-1);
    expect(event).toMatchObject({ version: release.version, signedBy: 'alice', envelope });
    expect(event?.digest).toBe(digestOf(envelope));
    const { rows } = await registry.pool.query(
      "select convert_from(entry, 'utf8')::jsonb as entry from log_entries order by index desc limit 1",
    );
    expect(rows[0].entry).toMatchObject({ kind: 'revocation', digest: event?.digest });
    await expect(registry.pool.query('delete from revocations')).rejects.toThrow('append-only');
  });

  it('needs no signature, and says so', async () => {
    const release = await approved();
    expect((await revoke('root', release.id)).status).toBe(200);
    const event = (await listed()).at(-1);
    expect(event).toMatchObject({ revokedBy: 'root', signedBy: null, envelope: null });
    const { server: of, version: wanted, closureDigest, reason, revokedBy, at } = event as RevocationEvent;
    const said = revocationOf({ server: of, version: wanted, closureDigest, reason, revokedBy, at });
    expect(event?.digest).toBe(digestOf(said));
  });

  it('refuses a signature that is not the caller’s, not about this release or not for this reason; nothing changes', async () => {
    const release = await approved();
    const other = { ...release, closureDigest: `sha256:${'0'.repeat(64)}` };
    const forged = statement(alice, release);
    const before = (await listed()).length;
    for (const [as, envelope, code] of [
      ['bob', statement(alice, release), 'FORBIDDEN'],
      ['alice', statement(alice, other), 'REVOCATION_SUBJECT'],
      ['alice', statement(alice, { ...release, version: '9.9.9' }), 'REVOCATION_SUBJECT'],
      ['alice', statement(alice, release, 'another reason'), 'REVOCATION_SUBJECT'],
      ['alice', { ...forged, payload: statement(bob, release).payload }, 'SIGNATURE_INVALID'],
      ['alice', statement({ ...alice, person: 'bob' }, release), 'SIGNATURE_INVALID'],
    ] as const) {
      const answer = await revoke(as, release.id, envelope);
      expect([answer.body.code, code]).toEqual([code, code]);
    }
    expect(await stateOf(release.id)).toBe('approved');
    expect((await listed()).length).toBe(before);
    expect((await revoke('erin', release.id)).status).toBe(403);
    expect((await revoke('bob', release.id, statement(bob, release))).status).toBe(200);
    expect((await revoke('bob', release.id, statement(bob, release))).status).toBe(409);
    expect((await listed()).length).toBe(before + 1);
  });

  it('has a reason of at most a thousand characters, signed or not', async () => {
    const release = await approved();
    const before = (await listed()).length;
    const long = 'x'.repeat(1001);
    for (const envelope of [undefined, statement(alice, release, long), statement(alice, release)]) {
      const { status, body } = await revoke('alice', release.id, envelope, long);
      expect([status, body.code]).toEqual([400, 'REQUEST_INVALID']);
      expect(body.detail).toMatch(/expected .+; found .*1000 characters\. .+/s);
    }
    expect([await stateOf(release.id), (await listed()).length]).toEqual(['approved', before]);
    const most = 'x'.repeat(1000);
    const { status } = await revoke('alice', release.id, statement(alice, release, most), most);
    expect([status, (await listed()).at(-1)?.reason]).toEqual([200, most]);
  });

  it('is told on a stream at once, and a reader resumes where it was without loss', async () => {
    const first = await read(base, erin);
    expect(first.headers['content-type']).toBe('text/event-stream');
    const known = (await listed()).length;
    await until(() => first.events().length === known);
    const one = await approved();
    await revoke('alice', one.id, statement(alice, one));
    await until(() => first.events().length === known + 1);
    const last = first.events().at(-1)?.id ?? 0;
    first.close();
    const missed = [await approved(), await approved()];
    for (const { id } of missed) await revoke('root', id);
    const second = await read(base, erin, { last: String(last) });
    await until(() => second.events().length === 2);
    expect(second.events().map((event) => event.version)).toEqual(missed.map((item) => item.version));
    expect(second.text()).toContain(`id: ${second.events()[0]?.id}\nevent: revocation\n`);
    const ids = second.events().map(({ id }) => id);
    expect(ids).toEqual([...ids].sort((a, b) => a - b));
    expect((await listed(`?after=${last}`)).map(({ id }) => id)).toEqual(ids);
    expect(await listed('?server=acme.tools/other')).toEqual([]);
    const other = await read(base, erin, { query: '?server=acme.tools/other' });
    await until(() => other.text().includes(': beat'));
    expect(other.events()).toEqual([]);
    for (const path of ['?after=x', '?after=-1', '?since=3'])
      expect((await read(base, erin, { query: path })).status).toBe(400);
    expect((await read(base, erin, { last: 'x' })).status).toBe(400);
  });

  it('is told by every replica, and again once a cut connection listens anew', async () => {
    const replica = await buildApp(registry.deps);
    await replica.listen({ host: '127.0.0.1', port: 0 });
    const there = `http://127.0.0.1:${(replica.server.address() as AddressInfo).port}`;
    const reader = await read(there, erin, { last: '0' });
    const has = (wanted: string) => () => reader.events().some((event) => event.version === wanted);
    const one = await approved();
    await revoke('root', one.id);
    await until(has(one.version));
    const { rowCount } = await registry.pool.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where (query like 'listen %' or query = 'select 1') and datname = current_database()",
    );
    expect(rowCount).toBeGreaterThan(1);
    const two = await approved();
    await revoke('root', two.id);
    await until(has(two.version));
    const before = performance.now();
    await replica.close();
    await reader.ended;
    expect(performance.now() - before).toBeLessThan(15_000);
  });

  it('loses none when many are revoked at once', async () => {
    const reader = await read(base, erin);
    const releases = [];
    for (let i = 0; i < 12; i++) releases.push(await approved());
    await Promise.all(releases.map(({ id }) => revoke('root', id)));
    const all = (await listed()).map(({ id }) => id);
    await until(() => reader.events().length === all.length);
    expect(reader.events().map(({ id }) => id)).toEqual(all);
  });

  it('has so many streams of one person and in all, and refuses one more in a sentence', async () => {
    for (let i = 0; i < 3; i++) expect((await read(base, erin)).status).toBe(200);
    const again = await registry.person('erin', 'developer');
    expect(again).not.toBe(erin);
    for (const token of [erin, again]) {
      const refused = await read(base, token);
      await refused.ended;
      const { code, detail } = JSON.parse(refused.text());
      expect([refused.status, code]).toEqual([429, 'RATE_LIMITED']);
      expect(detail).toContain(
        'expected at most 3 streams of one person and 5 of this registry; found one more.',
      );
    }
    const frank = await registry.person('frank', 'runtime');
    for (let i = 0; i < 2; i++) expect((await read(base, frank)).status).toBe(200);
    expect((await read(base, frank)).status).toBe(429);
    for (const reader of open) reader.close();
    await until(async () => (await read(base, erin)).status === 200);
  });

  it('ends with its token', async () => {
    const gina = await registry.person('gina', 'developer');
    const reader = await read(base, gina);
    await until(() => reader.text().includes(': beat'));
    const stays = await read(base, erin);
    await registry.pool.query("delete from tokens where person = 'gina'");
    await reader.ended;
    expect((await read(base, gina)).status).toBe(401);
    await until(() => stays.text().includes(': beat'));
  });
});
