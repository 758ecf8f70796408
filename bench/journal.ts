/** Durable records per second, beside what the disk does for one append with one fdatasync. */
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { openJournal } from '../runtime/journal/journal.ts';
import type { AuditBody } from '../schemas/audit.ts';
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
    const times: number[] = [];
    let left = width === 1 ? 2000 : 20_000;
    const worker = async (): Promise<void> => {
      while (left-- > 0) {
        const at = performance.now();
        await open.append(body);
        times.push(performance.now() - at);
      }
    };
    const start = performance.now();
    await Promise.all(Array.from({ length: width }, worker));
    add(`journal c${width}`, times, performance.now() - start);
  }
  await open.close();
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
    notes: ['Alone, a record costs one disk sync; in groups, many share one.'],
    data,
  };
}
