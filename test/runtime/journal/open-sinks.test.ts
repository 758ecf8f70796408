import { existsSync, readdirSync, readFileSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type Journal, openJournal } from '../../../runtime/journal/journal.ts';
import { verifyJournal } from '../../../runtime/journal/read.ts';
import {
  type OpenSinks,
  type OpenSinksOptions,
  openSinks,
  segmentLimits,
} from '../../../runtime/journal/sinks/open.ts';
import type { AuditConfig } from '../../../schemas/sinks.ts';
import { bodyOf, kindsOf, memorySink } from '../../helpers/journals.ts';
import { type HttpReceiver, httpReceiver } from '../../helpers/receivers.ts';
import { tempDir } from '../../helpers/session.ts';
import { until } from '../../helpers/wait.ts';

const DAY_MS = 86_400_000;
const timing = { pauseMs: 20, longestMs: 50, closeMs: 3000, retainMs: 50, leftoverMs: 50 };
const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const thing of open.splice(0).reverse()) await thing.close();
});

async function journalIn(root: string): Promise<Journal> {
  const journal = await openJournal(root, { bytes: 4000, ageMs: Number.POSITIVE_INFINITY });
  open.push(journal);
  return journal;
}
async function receiver(): Promise<HttpReceiver> {
  const http = await httpReceiver();
  open.push(http);
  return http;
}
async function sinksOf(
  config: Omit<AuditConfig, 'lockkeeper'>,
  options: Pick<OpenSinksOptions, 'journal' | 'journalDir'> & Partial<OpenSinksOptions>,
): Promise<OpenSinks> {
  const environment = { HOOK: 'a secret of enough bytes' };
  const base = { environment, now: () => new Date(), say: () => undefined, timing };
  const sinks = await openSinks({ lockkeeper: 'audit/v1', ...config }, { ...base, ...options });
  open.push(sinks);
  return sinks;
}
const hook = (to: HttpReceiver) => ({ kind: 'webhook', url: `${to.url}/`, secret: 'env:HOOK' }) as const;
const seqsOf = ({ posts }: HttpReceiver): number[] =>
  posts.flatMap(({ body }) => (JSON.parse(body).records as { seq: number }[]).map(({ seq }) => seq));
const segmentsIn = (dir: string): string[] => readdirSync(dir).filter((name) => name.endsWith('.ndjson'));

describe('open sinks', () => {
  it('are told as the journal grows, the registry as well, and of the last record when they close', async () => {
    const root = tempDir();
    const journal = await journalIn(root);
    const http = await receiver();
    const registry = memorySink('registry');
    const path = join(tempDir(), 'audit.jsonl');
    const sinks = await sinksOf(
      { sinks: { lake: hook(http), local: { kind: 'file', path } } },
      { journal, journalDir: root, registry: { sink: registry, folders: [root] } },
    );
    await journal.append(bodyOf(1));
    await until(() => seqsOf(http).length === 1 && registry.taken.length === 1 && existsSync(path));
    journal.note(bodyOf(2));
    await sinks.close();
    expect(seqsOf(http)).toEqual([1, 2]);
    expect(registry.taken.map(({ seq }) => seq)).toEqual([1, 2]);
    expect(readFileSync(path, 'utf8').trim().split('\n')).toHaveLength(2);
    expect(sinks.states()).toMatchObject([
      { sink: 'lake', state: 'up', taken: 2, behind: 0 },
      { sink: 'local', state: 'up', taken: 2 },
      { sink: 'registry', state: 'up', taken: 2 },
    ]);
  });

  it('do not hold a call up, nor each other, when one is down; it says so once and catches up', async () => {
    const root = tempDir();
    const journal = await journalIn(root);
    const [up, down] = [await receiver(), await receiver()];
    down.answers.push(...Array.from({ length: 3 }, () => ({ status: 503 })));
    const said: string[] = [];
    const sinks = await sinksOf(
      { sinks: { up: hook(up), down: hook(down) } },
      { journal, journalDir: root, say: (line) => said.push(line) },
    );
    for (let n = 1; n <= 100; n++) await journal.append(bodyOf(n));
    await until(() => sinks.states().every(({ taken, state }) => taken === 100 && state === 'up'));
    expect(new Set(seqsOf(down)).size).toBe(100);
    expect(said.filter((line) => line.includes('sink down'))).toHaveLength(2);
    expect(said.some((line) => line.includes('sink up'))).toBe(false);
    expect(said[0]).toContain('503');
  });

  it('record what a collector dropped', async () => {
    const root = tempDir();
    const journal = await journalIn(root);
    const http = await receiver();
    http.answers.push({
      status: 200,
      body: '{"partialSuccess":{"rejectedLogRecords":"1","errorMessage":"old"}}',
    });
    await journal.append(bodyOf(1));
    const sinks = await sinksOf(
      { sinks: { otel: { kind: 'otlp', url: `${http.url}/` } } },
      { journal, journalDir: root },
    );
    await until(() => (sinks.states()[0]?.taken ?? 0) >= 2);
    expect(await kindsOf(journal.dir)).toEqual(['request.forwarded', 'journal.lost']);
    expect(sinks.states()[0]).toMatchObject({ lost: 1, taken: 2 });
  });

  it('are told of what ended runtimes left behind, but not of a journal that another one writes', async () => {
    const root = tempDir();
    const [own, left, busy] = [await journalIn(root), await journalIn(root), await journalIn(root)];
    await left.append(bodyOf(1, { runtime: left.id }));
    await left.close();
    open.splice(open.indexOf(left), 1);
    await busy.append(bodyOf(2, { runtime: busy.id }));
    const http = await receiver();
    const registry = memorySink('registry');
    await sinksOf(
      { sinks: { lake: hook(http) } },
      { journal: own, journalDir: root, registry: { sink: registry, folders: ['/elsewhere'] } },
    );
    await until(() => http.posts.length > 0);
    expect(http.posts.map(({ body }) => JSON.parse(body).runtime)).toEqual([left.id]);
    await own.append(bodyOf(3, { runtime: own.id }));
    await until(() => http.posts.length > 1);
    expect(http.posts.map(({ body }) => JSON.parse(body).runtime)).not.toContain(busy.id);
    expect(registry.taken).toEqual([]);
  });

  it('end segments by the configured time, once the sinks and the registry have them', async () => {
    const root = tempDir();
    const journal = await journalIn(root);
    for (let n = 1; n <= 60; n++) await journal.append(bodyOf(n));
    const [first = '', second = ''] = segmentsIn(journal.dir);
    const then = new Date(Date.now() - 31 * DAY_MS);
    for (const name of [first, second]) utimesSync(join(journal.dir, name), then, then);
    const http = await receiver();
    http.answers.push(...Array.from({ length: 4 }, () => ({ status: 500 })));
    const sinks = await sinksOf(
      { retention: { maxDays: 30 }, sinks: { lake: hook(http) } },
      { journal, journalDir: root, registry: { sink: memorySink('registry'), folders: [root] } },
    );
    await until(() => !existsSync(join(journal.dir, second)));
    expect(existsSync(join(journal.dir, first))).toBe(false);
    await until(() => sinks.states().every(({ behind }) => behind === 0));
    expect([...new Set(seqsOf(http))].sort((a, b) => a - b)).toEqual(
      Array.from({ length: 62 }, (_, i) => i + 1),
    );
    await verifyJournal(root);
  });

  it('keep everything for a registry that cannot be asked', async () => {
    const root = tempDir();
    const journal = await journalIn(root);
    for (let n = 1; n <= 60; n++) await journal.append(bodyOf(n));
    const [first = ''] = segmentsIn(journal.dir);
    const then = new Date(Date.now() - 31 * DAY_MS);
    utimesSync(join(journal.dir, first), then, then);
    const retention = { maxDays: 30, unshipped: 'delete' } as const;
    const away = await sinksOf(
      { retention, sinks: {} },
      { journal, journalDir: root, registry: { sink: null, folders: [root] } },
    );
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(existsSync(join(journal.dir, first))).toBe(true);
    await away.close();
    await sinksOf({ retention, sinks: {} }, { journal, journalDir: root });
    await until(() => !existsSync(join(journal.dir, first)));
  });

  it('refuse what cannot be, before any record is told', async () => {
    const root = tempDir();
    const journal = await journalIn(root);
    const http = await receiver();
    const bad = { kind: 'webhook', url: `${http.url}/`, secret: 'env:NOT_THERE' } as const;
    await journal.append(bodyOf(1));
    await expect(
      sinksOf({ sinks: { lake: hook(http), bad } }, { journal, journalDir: root }),
    ).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(http.posts).toEqual([]);
  });
});

describe('the configured segment', () => {
  it('is as large and as old as it says, and as always without', () => {
    const limits = (rest: Partial<AuditConfig>): object =>
      segmentLimits({ lockkeeper: 'audit/v1', sinks: {}, ...rest });
    expect(limits({ segment: { maxMegabytes: 2, maxHours: 3 } })).toEqual({
      bytes: 2 * 1024 * 1024,
      ageMs: 3 * 3_600_000,
    });
    expect(limits({})).toEqual({ bytes: 32 * 1024 * 1024, ageMs: Number.POSITIVE_INFINITY });
  });
});
