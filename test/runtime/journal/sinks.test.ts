import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { makeSink } from '../../../runtime/journal/sinks/make.ts';
import type { Sink } from '../../../runtime/journal/sinks/port.ts';
import { type AuditRecord, link } from '../../../schemas/audit.ts';
import type { SinkConfig } from '../../../schemas/sinks.ts';
import { bodyOf } from '../../helpers/journals.ts';
import { portToKeep } from '../../helpers/ports.ts';
import { certificateFor, httpReceiver, syslogReceiver } from '../../helpers/receivers.ts';
import { tempDir } from '../../helpers/session.ts';
import { until } from '../../helpers/wait.ts';

const SECRET = 'a secret of enough bytes';
const environment = { HOOK: SECRET, TOKEN: 'Bearer abc', SHORT: 'short', EMPTY: '', TWO: 'a\nx-evil: 1' };
const now = (): Date => new Date('2026-11-24T10:00:00.000Z');
const local = certificateFor('127.0.0.1');
const opened: { close(): Promise<void> }[] = [];
const keep = <T extends { close(): Promise<void> }>(thing: T): T => {
  opened.push(thing);
  return thing;
};
afterEach(async () => {
  for (const thing of opened.splice(0)) await thing.close();
});
const make = async (config: SinkConfig): Promise<Sink> =>
  keep(await makeSink('siem', config, { environment, host: 'h1', now }));

function records(from: number, count: number): AuditRecord[] {
  const list: AuditRecord[] = [];
  for (let n = 0; n < count; n++)
    list.push(link(from + n, list.at(-1)?.digest ?? null, bodyOf(from + n, { target: 'echo' })));
  return list;
}
const linesOf = (path: string): string[] => readFileSync(path, 'utf8').split('\n').slice(0, -1);

describe('a file', () => {
  it('gets a line a record, for its owner alone, and a new file where the old one was moved away', async () => {
    const path = join(tempDir(), 'audit.jsonl');
    const sink = await make({ kind: 'file', path });
    expect(await sink.deliver(records(1, 3))).toEqual({ upTo: 3 });
    renameSync(path, `${path}.1`);
    await sink.deliver(records(4, 1));
    expect(linesOf(`${path}.1`).map((line) => JSON.parse(line))).toEqual(records(1, 3));
    expect(linesOf(path)).toHaveLength(1);
  });

  it('ends a line that a failure tore before it goes on', async () => {
    const path = join(tempDir(), 'audit.jsonl');
    const sink = await make({ kind: 'file', path });
    await sink.deliver(records(1, 1));
    appendFileSync(path, '{"seq":2,"pr');
    await sink.deliver(records(2, 1));
    const lines = linesOf(path);
    expect(lines).toHaveLength(3);
    expect(JSON.parse(lines[2] ?? '')).toMatchObject({ seq: 2 });
  });

  it.each<[string, (path: string) => void]>([
    ['a link', (path) => symlinkSync('/tmp/elsewhere-lk', path)],
    ['a folder', (path) => mkdirSync(path)],
    ['in no folder', () => undefined],
  ])('that is %s takes nothing', async (name, prepare) => {
    const path = join(tempDir(), name === 'in no folder' ? 'none/x' : 'x');
    prepare(path);
    const sink = await make({ kind: 'file', path });
    await expect(sink.deliver(records(1, 1))).rejects.toMatchObject({ code: 'SINK_FAILED' });
    expect(existsSync('/tmp/elsewhere-lk')).toBe(false);
  });
});

describe('a webhook', () => {
  it('is posted to, signed over the time and the body', async () => {
    const receiver = keep(await httpReceiver(local));
    const sink = await make({
      kind: 'webhook',
      url: `${receiver.url}/in?x=1`,
      secret: 'env:HOOK',
      ca: local.caFile,
    });
    expect(await sink.deliver(records(5, 2))).toEqual({ upTo: 6 });
    const [post] = receiver.posts;
    const [, time = '', mac] =
      /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(post?.headers['lockkeeper-signature'])) ?? [];
    expect(Number(time) * 1000).toBe(now().getTime());
    expect(mac).toBe(createHmac('sha256', SECRET).update(`${time}.${post?.body}`).digest('hex'));
    expect(JSON.parse(post?.body ?? '')).toEqual({
      lockkeeper: 'records/v1',
      format: 'native',
      runtime: 'j',
      from: 5,
      to: 6,
      records: records(5, 2),
    });
    expect(post?.path).toBe('/in?x=1');
  });

  it.each(['ocsf', 'cef'] as const)('is told in its format: %s', async (format) => {
    const receiver = keep(await httpReceiver());
    const sink = await make({ kind: 'webhook', url: `${receiver.url}/`, secret: 'env:HOOK', format });
    await sink.deliver(records(1, 2));
    const { records: told } = JSON.parse(receiver.posts[0]?.body ?? '') as { records: unknown[] };
    expect(told).toHaveLength(2);
    if (format === 'cef') expect(told[0]).toMatch(/^CEF:0\|.* suser=ada /);
    else expect(told[0]).toMatchObject({ class_uid: 6003, actor: { user: { name: 'ada' } } });
  });

  it.each([
    [500, {}, { tooLarge: false, unfit: false, retryMs: 0 }],
    [404, {}, { tooLarge: false, unfit: false }],
    [401, {}, { unfit: false }],
    [403, {}, { unfit: false }],
    [400, {}, { tooLarge: false, unfit: true }],
    [422, {}, { tooLarge: false, unfit: true }],
    [413, {}, { tooLarge: true, unfit: true }],
    [429, { 'retry-after': '7' }, { retryMs: 7000 }],
    [503, { 'retry-after': '999999' }, { retryMs: 3_600_000 }],
    [503, { 'retry-after': 'never' }, { retryMs: 0 }],
  ])('that answers %i has taken nothing', async (status, headers, hints) => {
    const receiver = keep(await httpReceiver());
    receiver.answers.push({ status, headers: headers as Record<string, string> });
    const sink = await make({ kind: 'webhook', url: `${receiver.url}/`, secret: 'env:HOOK' });
    await expect(sink.deliver(records(1, 2))).rejects.toMatchObject({ code: 'SINK_FAILED', ...hints });
    expect(await sink.deliver(records(1, 2))).toEqual({ upTo: 2 });
  });

  it.each(['webhook', 'otlp'] as const)('gets less of a record that is too large alone: %s', async (kind) => {
    const receiver = keep(await httpReceiver());
    const url = `${receiver.url}/`;
    const sink = await make(kind === 'otlp' ? { kind, url } : { kind, url, secret: 'env:HOOK' });
    const large = link(1, null, bodyOf(1, { target: 'echo', arguments: { text: 'x'.repeat(100_000) } }));
    receiver.answers.push({ status: 413 }, { status: 413 });
    expect(await sink.deliver([large])).toEqual({ upTo: 1 });
    const [first = 0, second = 0, third = 0] = receiver.posts.map(({ body }) => body.length);
    expect([first > 100_000, second < 50_000, third < 10_000]).toEqual([true, true, true]);
    expect(receiver.posts[2]?.body).toMatch(/\\?"cut\\?":true/);
    // What takes not even that is not asked for ever.
    receiver.answers.push(...Array.from({ length: 9 }, () => ({ status: 413 })));
    await expect(sink.deliver([large])).rejects.toMatchObject({ tooLarge: true });
    expect(receiver.posts.length).toBeLessThan(8);
  });

  it('leads nowhere else: a redirect is not followed', async () => {
    const other = keep(await httpReceiver());
    const receiver = keep(await httpReceiver());
    const sink = await make({ kind: 'webhook', url: `${receiver.url}/`, secret: 'env:HOOK' });
    for (const status of [301, 302, 307, 308]) {
      receiver.answers.push({ status, headers: { location: other.url } });
      await expect(sink.deliver(records(1, 1))).rejects.toThrow('redirect');
    }
    expect(other.posts).toEqual([]);
  });

  it('whose certificate nobody vouches for, or that is another’s, gets nothing', async () => {
    const receiver = keep(await httpReceiver(local));
    const url = `${receiver.url}/`;
    const stranger = await make({ kind: 'webhook', url, secret: 'env:HOOK' });
    await expect(stranger.deliver(records(1, 1))).rejects.toMatchObject({ code: 'SINK_FAILED' });
    const other = certificateFor('other.example.com');
    const wrong = keep(await httpReceiver(other));
    const sink = await make({
      kind: 'webhook',
      url: `${wrong.url}/`,
      secret: 'env:HOOK',
      ca: other.caFile,
    });
    await expect(sink.deliver(records(1, 1))).rejects.toMatchObject({ code: 'SINK_FAILED' });
    expect([...receiver.posts, ...wrong.posts]).toEqual([]);
  });

  it('that answers without end is not listened to', async () => {
    const receiver = keep(await httpReceiver());
    receiver.answers.push({ status: 200, body: 'x'.repeat(1_000_000) });
    const sink = await make({ kind: 'webhook', url: `${receiver.url}/`, secret: 'env:HOOK' });
    await expect(sink.deliver(records(1, 1))).rejects.toThrow('more than');
  });
});

describe('an OpenTelemetry collector', () => {
  it('gets log records with the caller, the tool and the place in the journal', async () => {
    const receiver = keep(await httpReceiver());
    const headers = { authorization: 'env:TOKEN' };
    const sink = await make({ kind: 'otlp', url: `${receiver.url}/v1/logs`, headers, format: 'ocsf' });
    expect(await sink.deliver(records(3, 1))).toEqual({ upTo: 3 });
    const [post] = receiver.posts;
    expect(post?.headers).toMatchObject({ authorization: 'Bearer abc', 'content-type': 'application/json' });
    const { resourceLogs } = JSON.parse(post?.body ?? '');
    const { resource, scopeLogs } = resourceLogs[0];
    expect(resource.attributes).toContainEqual({ key: 'service.name', value: { stringValue: 'lockkeeper' } });
    const [log] = scopeLogs[0].logRecords;
    expect(log).toMatchObject({
      timeUnixNano: `${Date.parse('2026-11-24T00:00:00.000Z')}000000`,
      observedTimeUnixNano: `${now().getTime()}000000`,
      severityNumber: 9,
      eventName: 'lockkeeper.request.forwarded',
    });
    expect(log.attributes).toContainEqual({ key: 'user.id', value: { stringValue: 'ada' } });
    expect(log.attributes).toContainEqual({ key: 'log.record.uid', value: { stringValue: 'j#3' } });
    expect(log.attributes).toContainEqual({ key: 'gen_ai.tool.name', value: { stringValue: 'echo' } });
    expect(JSON.parse(log.body.stringValue)).toMatchObject({ class_uid: 6003 });
  });

  it('that drops a part says how many; what is no such answer says nothing', async () => {
    const receiver = keep(await httpReceiver());
    const sink = await make({ kind: 'otlp', url: `${receiver.url}/v1/logs` });
    const partialSuccess = { rejectedLogRecords: '2', errorMessage: 'too\nold' };
    receiver.answers.push({ status: 200, body: JSON.stringify({ partialSuccess }) });
    expect(await sink.deliver(records(1, 3))).toEqual({
      upTo: 3,
      refused: { count: 2, why: 'too\\u000aold' },
    });
    for (const body of [
      '',
      'null',
      '[]',
      '{"partialSuccess":null}',
      '{"partialSuccess":{"rejectedLogRecords":-1}}',
    ]) {
      receiver.answers.push({ status: 200, body });
      expect(await sink.deliver(records(1, 3))).toEqual({ upTo: 3 });
    }
  });
});

describe('syslog over TLS', () => {
  const to = (port: number): SinkConfig => ({ kind: 'syslog', host: '127.0.0.1', port, ca: local.caFile });

  it('counts octets, also of texts that are not ASCII', async () => {
    const receiver = keep(await syslogReceiver({ cert: local.cert, key: local.key }));
    const sink = await make(to(receiver.port));
    const list = records(1, 3).map((record) => ({ ...record, body: { ...record.body, user: 'zoë 🌊' } }));
    expect(await sink.deliver(list)).toEqual({ upTo: 3 });
    expect(receiver.messages).toHaveLength(3);
    for (const text of receiver.messages) expect(text).toMatch(/^<110>1 .* user="zoë 🌊"/);
    expect(receiver.sockets.size).toBe(1);
  });

  it.each<[string, Partial<Extract<SinkConfig, { kind: 'syslog' }>>, RegExp]>([
    ['the name is another', { serverName: 'siem.example.com' }, /altnames|SINK/i],
    ['nobody vouches for it', { ca: certificateFor('127.0.0.1').caFile }, /signature|self-signed|verify/],
  ])('says nothing to a receiver whose certificate does not hold: %s', async (_, change, why) => {
    const receiver = keep(await syslogReceiver({ cert: local.cert, key: local.key }));
    const sink = await make({ ...to(receiver.port), ...change } as SinkConfig);
    await expect(sink.deliver(records(1, 1))).rejects.toThrow(why);
    expect(receiver.messages).toEqual([]);
  });

  it('shows its own certificate where one is asked for, and is refused without', async () => {
    const own = certificateFor('runtime.example.com', 'clientAuth');
    const asks = {
      cert: local.cert,
      key: local.key,
      ca: own.ca,
      requestCert: true,
      rejectUnauthorized: true,
    };
    const receiver = keep(await syslogReceiver(asks));
    const bare = await make(to(receiver.port));
    await expect(bare.deliver(records(1, 1))).rejects.toMatchObject({ code: 'SINK_FAILED' });
    const client = { certificate: own.certFile, key: `file:${own.keyFile}` };
    const sink = await make({ ...to(receiver.port), client } as SinkConfig);
    expect(await sink.deliver(records(1, 1))).toEqual({ upTo: 1 });
    expect(receiver.messages).toHaveLength(1);
  });

  it('goes on with a receiver that was away', async () => {
    const first = await syslogReceiver({ cert: local.cert, key: local.key }, await portToKeep());
    const sink = await make(to(first.port));
    await sink.deliver(records(1, 1));
    await first.close();
    await expect(sink.deliver(records(2, 1))).rejects.toMatchObject({ code: 'SINK_FAILED' });
    const second = keep(await syslogReceiver({ cert: local.cert, key: local.key }, first.port));
    expect(await sink.deliver(records(2, 1))).toEqual({ upTo: 2 });
    expect(second.messages).toHaveLength(1);
  });

  it('notices a receiver that goes while it is told', async () => {
    const receiver = keep(await syslogReceiver({ cert: local.cert, key: local.key }));
    const sink = await make(to(receiver.port));
    await sink.deliver(records(1, 1));
    const told = sink.deliver(records(2, 1));
    await until(() => receiver.messages.length === 2);
    for (const socket of receiver.sockets) socket.destroy();
    await expect(told).rejects.toMatchObject({ code: 'SINK_FAILED' });
  });

  it('does not wait for what speaks no TLS', async () => {
    const silent = createServer((socket) =>
      socket
        .on('error', () => undefined)
        .resume()
        .end('hello\n'),
    );
    await once(silent.listen(0, '127.0.0.1'), 'listening');
    keep({ close: () => new Promise((resolve) => silent.close(() => resolve())) });
    const sink = await make(to((silent.address() as AddressInfo).port));
    await expect(sink.deliver(records(1, 1))).rejects.toMatchObject({ code: 'SINK_FAILED' });
  });

  it('cuts messages to the size that its receiver takes', async () => {
    const receiver = keep(await syslogReceiver({ cert: local.cert, key: local.key }));
    const long = { x: 'y'.repeat(6000) };
    const list = records(1, 1).map((record) => ({ ...record, body: { ...record.body, arguments: long } }));
    await (await make({ ...to(receiver.port), maxBytes: 4096 } as SinkConfig)).deliver(list);
    await (await make({ ...to(receiver.port), maxBytes: 16_384 } as SinkConfig)).deliver(list);
    const [cut = '', whole = ''] = receiver.messages;
    expect(cut).toContain('"cut":true');
    expect(cut).not.toContain('yyy');
    expect(whole).toContain('y'.repeat(6000));
  });
});

describe('a sink that cannot be', () => {
  const secretFile = join(tempDir(), 'secret');
  writeFileSync(secretFile, `${SECRET}\n`, { mode: 0o644 });
  chmodSync(secretFile, 0o644);
  const hook = (change: object): SinkConfig =>
    ({ kind: 'webhook', url: 'https://lake.example.com/', secret: 'env:HOOK', ...change }) as SinkConfig;
  it.each<[string, SinkConfig]>([
    ['no such variable', hook({ secret: 'env:NOT_THERE' })],
    ['an empty one', hook({ secret: 'env:EMPTY' })],
    ['a secret that is short', hook({ secret: 'env:SHORT' })],
    ['no such file', hook({ secret: 'file:/nowhere/at/all' })],
    ['a secret that everybody may read', hook({ secret: `file:${secretFile}` })],
    ['no certificates', hook({ ca: '/nowhere/at/all' })],
    ['certificates that are none', hook({ ca: secretFile })],
    ['a device', hook({ ca: '/dev/zero' })],
    ['a password in the address', hook({ url: 'https://me:hunter2@lake.example.com/' })],
    ['a header of two lines', { kind: 'otlp', url: 'https://o.example.com/', headers: { x: 'env:TWO' } }],
    [
      'no key for its certificate',
      { kind: 'syslog', host: 'x', client: { certificate: local.caFile, key: 'env:NOT_THERE' } },
    ],
  ])('is refused before anything starts: %s', async (_, config) => {
    const refused = makeSink('siem', config, { environment, host: 'h1', now });
    await expect(refused).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    await expect(refused).rejects.not.toThrow(/hunter2/);
  });

  it('takes a secret from a file without its last line end', async () => {
    chmodSync(secretFile, 0o640);
    const receiver = keep(await httpReceiver());
    const sink = await make(hook({ url: `${receiver.url}/`, secret: `file:${secretFile}` }));
    await sink.deliver(records(1, 1));
    const [post] = receiver.posts;
    const [, time, mac] = /^t=(\d+),v1=(.*)$/.exec(String(post?.headers['lockkeeper-signature'])) ?? [];
    expect(mac).toBe(createHmac('sha256', SECRET).update(`${time}.${post?.body}`).digest('hex'));
  });
});
