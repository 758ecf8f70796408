import { randomBytes, randomUUID } from 'node:crypto';
import { access, mkdir, readdir, stat, utimes, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openApi } from '../../cli/api.ts';
import type { Held } from '../../registry/db/mcp-bundles.ts';
import { moveState } from '../../registry/db/releases.ts';
import { MOVES } from '../../registry/lifecycle.ts';
import { assertRoom, BUNDLE_LIMITS, sweepBundles } from '../../registry/mcp-bundles.ts';
import { MAX_BUNDLE_BYTES } from '../../scanner/mcpb/read.ts';
import { sha256 } from '../../schemas/json.ts';
import { servers, startTestRegistry, type TestRegistry } from '../helpers/registry.ts';
import { until } from '../helpers/wait.ts';

const MIB = 1024 * 1024;
const zip = (bytes: number): Buffer => Buffer.concat([Buffer.from('PK\x03\x04'), randomBytes(bytes - 4)]);

describe('room for bundles', () => {
  const room = { bytes: 100, bundles: 3, uploads: 2 };
  const limits = { perPerson: room, total: { bytes: 150, bundles: 5, uploads: 3 } };
  const at = (minutes: number): Date => new Date(Date.UTC(2026, 10, 1, 0, minutes));
  const held = (person: string, bytes: number, minutes: number, upload = false): Held => ({
    ...{ person, bytes, upload, until: at(minutes) },
  });
  const refused = (list: Held[], bytes = 30): string => {
    try {
      assertRoom(list, { person: 'dave', bytes }, limits);
      return 'room';
    } catch (error) {
      return (error as Error).message;
    }
  };

  it.each<[string, Held[], string | RegExp]>([
    ['is there for the first', [], 'room'],
    ['is there up to the last byte', [held('dave', 70, 1)], 'room'],
    ['of bytes ends', [held('dave', 71, 1)], /of dave .*1 bundles.*after 2026-11-01T00:11:00/],
    [
      'is free once enough of them ended, not the first one',
      [held('dave', 1, 1), held('dave', 71, 7)],
      /after 2026-11-01T00:17:00/,
    ],
    ['of bundles ends', [1, 2, 3].map((minute) => held('dave', 1, minute)), /after 2026-11-01T00:11:00/],
    ['of uploads ends', [1, 2].map((minute) => held('dave', 1, minute, true)), /0 bundles and 2 uploads/],
    ['is not taken by others', [held('paul', 100, 1)], 'room'],
    ['of all ends as well', [held('paul', 60, 1), held('erin', 70, 2)], /of all .*00:11:00/],
    ['of all uploads ends', ['a', 'b', 'c'].map((person) => held(person, 1, 9, true)), /of all/],
  ])('%s', (_, list, said) => {
    if (typeof said === 'string') expect(refused(list)).toBe(said);
    else expect(refused(list)).toMatch(said);
  });
});

describe.each(servers().slice(0, 1))('bundles that are handed in', (server) => {
  let registry: TestRegistry;
  let url: string;
  let token: string;
  const limits = {
    perPerson: { bytes: BUNDLE_LIMITS.perPerson.bytes, bundles: 4, uploads: 2 },
    uploadMs: 60_000,
    idleMs: 60_000,
  };
  beforeAll(async () => {
    registry = await startTestRegistry(server, { bundles: limits });
    token = await registry.person('dave', 'publisher');
    url = await registry.app.listen({ host: '127.0.0.1', port: 0 });
  });
  afterAll(() => registry.close());
  beforeEach(async () => void (await registry.pool.query('delete from bundles')));

  const incoming = (): Promise<string[]> => readdir(join(registry.folder.dir, 'incoming')).catch(() => []);
  const rows = async (table: string): Promise<number> =>
    (await registry.pool.query(`select 1 from ${table}`)).rows.length;
  const nothingLeft = async (): Promise<boolean> =>
    (await incoming()).length === 0 && (await rows('bundle_uploads')) === 0;
  const age = async (digest: string): Promise<void> => {
    const old = new Date(Date.now() - 25 * 3_600_000);
    await registry.pool.query('update bundles set touched_at = $2 where digest = $1', [digest, old]);
    await utimes(registry.folder.path(digest), old, old);
  };
  /** Begins a request by hand and sends so much of its body; `size`: what it says of it, null for a body in chunks. */
  const begin = async (size: number | null, body: Buffer): Promise<Socket> => {
    const socket = connect((registry.app.server.address() as AddressInfo).port, '127.0.0.1');
    socket.on('error', () => undefined);
    const length = size === null ? 'transfer-encoding: chunked' : `content-length: ${size}`;
    socket.write(
      `POST /v1/bundles HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\ncontent-type: application/octet-stream\r\n${length}\r\n\r\n`,
    );
    if (size === null) socket.write(`${body.length.toString(16)}\r\n`);
    socket.write(body);
    return socket;
  };
  const answerOn = async (socket: Socket): Promise<string> => {
    let text = '';
    for await (const chunk of socket) {
      text += String(chunk);
      if (/^\{.*\}$/m.test(text)) break;
    }
    return text;
  };

  it('are stored whole under their digest; what came of one is on the disk, not in memory', async () => {
    const bytes = zip(4 * MIB);
    await openApi(url, token).upload('bundle', bytes);
    expect([await registry.deps.blobs.has(sha256(bytes)), await nothingLeft()]).toEqual([true, true]);
    const half = await begin(4 * MIB, bytes.subarray(0, 2 * MIB));
    await until(async () => {
      const [name] = await incoming();
      return name !== undefined && (await stat(join(registry.folder.dir, 'incoming', name))).size === 2 * MIB;
    });
    half.destroy();
    await until(nothingLeft);
  });

  it('leave nothing when their sender goes away half way, or waits', async () => {
    const gone = await begin(1000, zip(500));
    await until(async () => (await incoming()).length === 1);
    gone.destroy();
    await until(nothingLeft);
    limits.idleMs = 200;
    const waits = await begin(1000, zip(500));
    expect(await answerOn(waits)).toMatch(/^HTTP\/1.1 408 .*"REQUEST_SLOW"/s);
    waits.destroy();
    limits.idleMs = 60_000;
    await until(nothingLeft);
    expect(await rows('bundles')).toBe(0);
  });

  it('are refused by what they begin with and by their length, whatever was said of it', async () => {
    const other = await begin(MIB, Buffer.from('{"not":"a zip"}'));
    expect(await answerOn(other)).toMatch(/^HTTP\/1.1 400 .*"REQUEST_INVALID"/s);
    other.destroy();
    const large = await begin(MAX_BUNDLE_BYTES + 1, Buffer.alloc(0));
    expect(await answerOn(large)).toMatch(/^HTTP\/1.1 413 .*"FRAME_TOO_LARGE"/s);
    large.destroy();
    // One that does not say how long it is takes the room of the longest, and is read up to that.
    Object.assign(limits, { maxBytes: MIB });
    const endless = await begin(null, zip(2 * MIB));
    expect(await answerOn(endless)).toMatch(/^HTTP\/1.1 413 .*"FRAME_TOO_LARGE"/s);
    endless.destroy();
    Object.assign(limits, { maxBytes: MAX_BUNDLE_BYTES });
    await until(nothingLeft);
    expect(await rows('bundles')).toBe(0);
  });

  it('are refused before a byte is written once there is no room; what a release names takes none', async () => {
    const all = [1, 2, 3, 4].map(() => zip(20));
    for (const bytes of all) await openApi(url, token).upload('bundle', bytes);
    const more = zip(4 * MIB);
    await expect(openApi(url, token).upload('bundle', more)).rejects.toThrow(
      /4 bundles and 0 uploads, and 4.0 MiB more\. .*try again after 2/,
    );
    expect([await registry.deps.blobs.has(sha256(more)), await nothingLeft()]).toEqual([false, true]);
    const answer = await registry.submit('dave', {
      name: 'mcpb/first',
      source: `mcpb:first@${sha256(all[0] ?? '')}`,
    });
    expect(answer.status).toBe(201);
    await openApi(url, token).upload('bundle', more);
  });

  it('have two ways in at a time and not three', async () => {
    const open = await Promise.all([1, 2].map(() => begin(1000, zip(500))));
    await until(async () => (await incoming()).length === 2);
    await expect(openApi(url, token).upload('bundle', zip(20))).rejects.toThrow(/and 2 uploads/);
    for (const socket of open) socket.destroy();
    await until(nothingLeft);
    await openApi(url, token).upload('bundle', zip(20));
  });

  it('are swept once nothing has named them for a day, each with an event; no others are', async () => {
    const { blobs, pool } = registry.deps;
    const [idle, fresh, named, rejected, stored, inUse] = [1, 2, 3, 4, 5, 6].map(() => zip(30));
    const all = [idle, fresh, named, rejected, stored, inUse].map((bytes) => sha256(bytes ?? ''));
    for (const [at, bytes] of [idle, fresh, named, rejected, stored, inUse].entries()) {
      const { digest, size } = await blobs.put(bytes ?? zip(30));
      await pool.query('insert into bundles (digest, size, person) values ($1, $2, $3)', [
        digest,
        size,
        'dave',
      ]);
      if (at !== 1) await age(digest);
    }
    for (const [name, at] of [
      ['named', 2],
      ['rejected', 3],
    ] as const) {
      const { body } = await registry.submit('dave', {
        name: `mcpb/${name}`,
        source: `mcpb:${name}@${all[at]}`,
      });
      if (name === 'rejected') await moveState(pool, body.id, { ...MOVES.reject, reason: 'no' });
      // A submission touches it.
      await age(all[at] ?? '');
    }
    const kept = await registry.scanned('dave', { name: 'acme.tools/kept' });
    await pool.query('insert into release_blobs values ($1, $2)', [all[4], kept]);
    // A scan stored the same bytes just now.
    await blobs.put(inUse ?? zip(30));
    expect(await sweepBundles(registry.deps)).toBe(3);
    expect(await Promise.all(all.map((digest) => blobs.has(digest)))).toEqual([
      ...[false, true, true, false, true, true],
    ]);
    const { rows: events } = await pool.query(`select subject from events where action = 'bundle.swept'`);
    expect(events.map(({ subject }) => subject).sort()).toEqual([all[0], all[3], all[5]].sort());
    expect(await sweepBundles(registry.deps)).toBe(0);
  });

  it('that a process left half are removed, but for those under way elsewhere', async () => {
    const [dead, ended, alive] = [randomUUID(), randomUUID(), randomUUID()];
    const folder = join(registry.folder.dir, 'incoming');
    await mkdir(folder, { recursive: true });
    for (const id of [dead, ended, alive]) await writeFile(join(folder, id), 'PK');
    await registry.pool.query(
      `insert into bundle_uploads values ($1, 'dave', 9, now() - interval '1 second'), ($2, 'dave', 9, now() + interval '1 hour')`,
      [ended, alive],
    );
    await sweepBundles(registry.deps);
    expect(await incoming()).toEqual([alive]);
    await access(join(folder, alive));
    await registry.pool.query('delete from bundle_uploads');
    await sweepBundles(registry.deps);
    expect(await incoming()).toEqual([]);
  });
});
