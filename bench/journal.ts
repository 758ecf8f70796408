/** Durable records per second, beside what the disk does for one append with one fdatasync. */
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Journal, openJournal } from '../runtime/journal/journal.ts';
import { openSinks } from '../runtime/journal/sinks/open.ts';
import type { AuditBody } from '../schemas/audit.ts';
import type { AuditConfig } from '../schemas/sinks.ts';
import { certificateFor, httpReceiver, syslogReceiver } from '../test/helpers/receivers.ts';
import { openDir } from '../test/helpers/sandbox.ts';
import type { BenchResult } from './main.ts';
import { quantile } from './measure.ts';

const body: AuditBody = {
  kind: 'request.forwarded',
  at: '2026-11-24T00:00:00.000Z',
  runtime: 'j',
  session: 's',
  user: 'u',
  subject: null,
  method: 'tools/call',
  target: 'echo',
  arguments: { message: 'x'.repeat(200) },
};

async function appendAll(
  to: Journal,
  width: number,
  count: number,
): Promise<{ times: number[]; elapsed: number }> {
  const times: number[] = [];
  let left = count;
  const worker = async (): Promise<void> => {
    while (left-- > 0) {
      const at = performance.now();
      await to.append(body);
      times.push(performance.now() - at);
    }
  };
  const start = performance.now();
  await Promise.all(Array.from({ length: width }, worker));
  return { times, elapsed: performance.now() - start };
}

type Add = (name: string, times: number[], elapsed: number) => void;

/** The rate of a busy gateway, 1,000 records a second, with nobody told and with four sinks, in turns. */
async function withSinks(dir: string, add: Add): Promise<void> {
  const http = await httpReceiver();
  const certificate = certificateFor('127.0.0.1');
  const syslog = await syslogReceiver({ cert: certificate.cert, key: certificate.key });
  const sinks: AuditConfig['sinks'] = {
    file: { kind: 'file', path: join(dir, 'told.jsonl'), format: 'ocsf' },
    webhook: { kind: 'webhook', url: `${http.url}/`, secret: 'env:HOOK' },
    otlp: { kind: 'otlp', url: `${http.url}/`, format: 'ocsf' },
    syslog: { kind: 'syslog', host: '127.0.0.1', port: syslog.port, ca: certificate.caFile, format: 'cef' },
  };
  const environment = { HOOK: 'a secret of enough bytes' };
  const all = new Map<string, number[]>();
  const spent = new Map<string, number>();
  for (let round = 0; round < 3; round++)
    for (const [name, told] of [
      ['paced, nobody told', {}],
      ['paced, four sinks', sinks],
    ] as const) {
      const root = join(dir, `${round}-${Object.keys(told).length}`);
      const paced = await openJournal(root);
      const options = {
        journal: paced,
        journalDir: root,
        environment,
        now: () => new Date(),
        say: () => undefined,
      };
      const open = await openSinks({ lockkeeper: 'audit/v1', sinks: told }, options);
      const start = performance.now();
      all.set(name, [...(all.get(name) ?? []), ...(await appendPaced(paced, 4000))]);
      spent.set(name, (spent.get(name) ?? 0) + performance.now() - start);
      await open.close();
      await paced.close();
      http.posts.length = 0;
    }
  for (const [name, times] of all) add(name, times, spent.get(name) ?? 0);
  await http.close();
  await syslog.close();
}

/** Eight records every 8 ms, as calls in flight come in. */
async function appendPaced(to: Journal, count: number): Promise<number[]> {
  const times: number[] = [];
  const one = async (): Promise<void> => {
    const at = performance.now();
    await to.append(body);
    times.push(performance.now() - at);
  };
  const begin = performance.now();
  for (let sent = 0; sent < count; sent += 8) {
    await Promise.all(Array.from({ length: 8 }, one));
    await sleep(Math.max(begin + sent + 8 - performance.now(), 0));
  }
  return times;
}

export async function journal(): Promise<BenchResult> {
  const dir = openDir();
  const rows: string[][] = [];
  const data: Record<string, { perSecond: number; p50: number; p99: number }> = {};
  const add = (name: string, times: number[], elapsed: number): void => {
    const figures = {
      perSecond: (times.length / elapsed) * 1000,
      p50: quantile(times, 0.5),
      p99: quantile(times, 0.99),
    };
    data[name] = figures;
    rows.push([name, figures.perSecond.toFixed(0), figures.p50.toFixed(3), figures.p99.toFixed(3)]);
  };
  const open = await openJournal(join(dir, 'journal'));
  for (const width of [1, 32, 256]) {
    const { times, elapsed } = await appendAll(open, width, width === 1 ? 2000 : 20_000);
    add(`journal c${width}`, times, elapsed);
  }
  await open.close();
  await withSinks(dir, add);
  const line = Buffer.from(`${JSON.stringify(body)}\n`);
  const fd = openSync(join(dir, 'raw'), 'a');
  const times: number[] = [];
  const start = performance.now();
  for (let i = 0; i < 2000; i++) {
    const at = performance.now();
    writeSync(fd, line);
    fdatasyncSync(fd);
    times.push(performance.now() - at);
  }
  add('append + fdatasync', times, performance.now() - start);
  closeSync(fd);
  return {
    head: ['case', 'records/s', 'p50 ms', 'p99 ms'],
    rows,
    notes: [
      'Alone, a record costs one disk sync; in groups, many share one.',
      'Paced: eight records every 8 ms; the sinks and their receivers share this process and its processor.',
    ],
    data,
  };
}
