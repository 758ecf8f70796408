import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  copyFileSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openJournal, takeJournal } from '../../../runtime/journal/journal.ts';
import { readJournal, verifyJournal } from '../../../runtime/journal/read.ts';
import type { AuditBody } from '../../../schemas/audit.ts';
import { tempDir } from '../../helpers/session.ts';
import { until } from '../../helpers/wait.ts';

const body = (n: number): AuditBody => ({
  kind: 'request.forwarded',
  at: '2026-11-24T00:00:00.000Z',
  runtime: 'j',
  session: 's',
  user: 'u',
  subject: null,
  call: String(n),
});
const WRITER = join(import.meta.dirname, '../../helpers/journal-writer.ts');
const segmentOf = (root: string): string => {
  const [name = ''] = readdirSync(root);
  return join(root, name, '000001.ndjson');
};

describe('the journal', () => {
  it('numbers and chains records, alone and in groups', async () => {
    const root = tempDir();
    const journal = await openJournal(root);
    expect(await journal.append(body(1))).toBe(1);
    expect(await Promise.all(Array.from({ length: 500 }, (_, i) => journal.append(body(i))))).toEqual(
      Array.from({ length: 500 }, (_, i) => i + 2),
    );
    journal.note(body(0));
    await journal.close();
    expect(await verifyJournal(root)).toEqual({ journals: 1, records: 502 });
  });

  it('goes on where it ended', async () => {
    const root = tempDir();
    for (const n of [1, 2, 3]) {
      const journal = await openJournal(root);
      expect(await journal.append(body(n))).toBe(n);
      await journal.close();
    }
    expect(await verifyJournal(root)).toEqual({ journals: 1, records: 3 });
  });

  it('gives each of several processes its own', async () => {
    const root = tempDir();
    const open = [await openJournal(root), await openJournal(root), await openJournal(root)];
    expect(new Set(open.map((journal) => journal.id)).size).toBe(3);
    for (const journal of open) await journal.close();
    const again = await openJournal(root);
    expect(open.map((journal) => journal.id)).toContain(again.id);
    await again.close();
  });

  it('is not taken by another process in another network, which the kernel tells, until that is gone', async () => {
    const root = tempDir();
    const words = ['--net', '--map-root-user', process.execPath, WRITER, 'count', root];
    const writer = spawn('unshare', words);
    const ended = once(writer, 'close');
    let said = '';
    writer.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    await until(() => said.includes('\n') || writer.exitCode !== null);
    const [name = ''] = readdirSync(root);
    const dir = join(root, name);
    expect(await takeJournal(dir)).toBeNull();
    const own = await openJournal(root);
    expect(own.dir).not.toBe(dir);
    await own.close();
    writer.kill('SIGKILL');
    await ended;
    const taken = await takeJournal(dir);
    expect(taken?.dir).toBe(dir);
    await taken?.close();
    await verifyJournal(root);
  });

  it('is not opened where nobody can tell whether it is written', async () => {
    const root = tempDir();
    const journal = await openJournal(root);
    await journal.close();
    rmSync(join(journal.dir, 'writer.lock'));
    mkdirSync(join(journal.dir, 'writer.lock'));
    await expect(openJournal(root)).rejects.toMatchObject({ code: 'JOURNAL_BROKEN' });
    expect(readdirSync(root)).toEqual([journal.id]);
  });

  it('cuts a line that a crash tore, and says so', async () => {
    const root = tempDir();
    const journal = await openJournal(root);
    await journal.append(body(1));
    await journal.close();
    appendFileSync(segmentOf(root), '{"seq":2,"prev":"sha256:');
    const again = await openJournal(root);
    expect(await again.append(body(2))).toBe(3);
    await again.close();
    const kinds: string[] = [];
    for await (const record of readJournal(root)) kinds.push(record.body.kind);
    expect(kinds).toEqual(['request.forwarded', 'journal.recovered', 'request.forwarded']);
  });

  it.each<[string, (text: string) => string]>([
    ['a changed word', (text) => text.replace('"user":"u"', '"user":"v"')],
    ['a removed line', (text) => text.split('\n').toSpliced(1, 1).join('\n')],
    [
      'two lines swapped',
      (text) =>
        text
          .split('\n')
          .toSpliced(1, 2, text.split('\n')[2] ?? '', text.split('\n')[1] ?? '')
          .join('\n'),
    ],
    ['a line that is none', (text) => text.replace('\n', '\nhello\n')],
  ])('refuses %s', async (_name, change) => {
    const root = tempDir();
    const journal = await openJournal(root);
    for (const n of [1, 2, 3]) await journal.append(body(n));
    await journal.close();
    const before = readFileSync(segmentOf(root), 'utf8');
    const after = change(before);
    expect(after).not.toBe(before);
    writeFileSync(segmentOf(root), after);
    await expect(verifyJournal(root)).rejects.toMatchObject({ code: 'JOURNAL_CHAIN' });
    await expect(openJournal(root)).rejects.toMatchObject({ code: 'JOURNAL_CHAIN' });
    expect(readFileSync(segmentOf(root), 'utf8')).toBe(after);
  });
});

describe('a journal that somebody touches while it is written', () => {
  it.each<[string, (root: string) => void]>([
    ['removed', (root) => rmSync(root, { recursive: true })],
    [
      'removed under its name, and is elsewhere under another one',
      (root) => {
        linkSync(segmentOf(root), join(root, 'other'));
        rmSync(segmentOf(root));
      },
    ],
    ['moved', (root) => renameSync(segmentOf(root), join(root, 'other'))],
    ['moved with its folder', (root) => renameSync(root, `${root}-elsewhere`)],
    [
      'replaced by a copy',
      (root) => {
        renameSync(segmentOf(root), join(root, 'other'));
        copyFileSync(join(root, 'other'), segmentOf(root));
      },
    ],
    ['cut short', (root) => truncateSync(segmentOf(root), 10)],
    ['added to', (root) => appendFileSync(segmentOf(root), 'x')],
  ])(
    'is broken once it was %s: nothing more counts as durable, with room for it and without',
    async (_, touch) => {
      for (const before of [1, 2, 3, 4]) {
        const root = tempDir();
        const journal = await openJournal(root);
        for (let n = 0; n < before; n++) await journal.append(body(n));
        touch(root);
        await expect(journal.append(body(2))).rejects.toMatchObject({ code: 'JOURNAL_BROKEN' });
        await expect(journal.append(body(3))).rejects.toMatchObject({ code: 'JOURNAL_BROKEN' });
        await journal.close();
      }
    },
  );
});

describe('several segments', () => {
  it('are one chain; an earlier one that does not end whole is no crash', async () => {
    const root = tempDir();
    const journal = await openJournal(root);
    const large = { ...body(1), message: 'x'.repeat(1_000_000) };
    for (let n = 0; n < 40; n++) await journal.append(large);
    await journal.close();
    const again = await openJournal(root);
    expect(await again.append(body(2))).toBe(41);
    await again.close();
    expect(readdirSync(again.dir).filter((name) => name.endsWith('.ndjson'))).toHaveLength(2);
    await expect(verifyJournal(root)).resolves.toMatchObject({ records: 41 });
    appendFileSync(segmentOf(root), 'x');
    await expect(verifyJournal(root)).rejects.toMatchObject({ code: 'JOURNAL_CHAIN' });
  });
});

describe('reading a journal', () => {
  it('holds one buffer, however much there is to read', async () => {
    const root = tempDir();
    const journal = await openJournal(root);
    const large = { ...body(1), message: 'x'.repeat(10_000) };
    for (let n = 0; n < 1200; n++) journal.note(large);
    await journal.append(large);
    const before = process.memoryUsage().arrayBuffers;
    let most = 0;
    for await (const _ of readJournal(root))
      most = Math.max(most, process.memoryUsage().arrayBuffers - before);
    expect(most).toBeLessThan(1_000_000);
    await journal.close();
  });
});

describe('the journal and the machine', () => {
  it('refuses everything once the disk is full, and the chain still verifies', async () => {
    const root = tempDir();
    // A file size limit is a full disk for this process alone; SIGXFSZ ignored makes it an error of the write.
    const out = execFileSync(
      'sh',
      [
        '-c',
        `trap '' XFSZ; exec prlimit --fsize=20000 -- "$@"`,
        'sh',
        process.execPath,
        WRITER,
        'fill',
        root,
      ],
      { encoding: 'utf8' },
    );
    const { durable, codes } = JSON.parse(out) as { durable: number; codes: string[] };
    expect(codes).toEqual(['JOURNAL_BROKEN']);
    expect(durable).toBeGreaterThan(10);
    const journal = await openJournal(root);
    await journal.close();
    const { records } = await verifyJournal(root);
    expect(records).toBeGreaterThanOrEqual(durable);
  });

  it('keeps every record it called durable through kill -9', async () => {
    const root = tempDir();
    const child = spawn(process.execPath, [WRITER, 'count', root], { stdio: ['ignore', 'pipe', 'inherit'] });
    let told = 0;
    child.stdout.on('data', (chunk: Buffer) => {
      told = Number(chunk.toString().trim().split('\n').at(-1));
    });
    await until(() => told >= 500);
    child.kill('SIGKILL');
    await once(child, 'close');
    const journal = await openJournal(root);
    await journal.close();
    const { records } = await verifyJournal(root);
    expect(records).toBeGreaterThanOrEqual(told);
  });
});
