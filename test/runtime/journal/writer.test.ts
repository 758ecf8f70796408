import {
  appendFileSync,
  closeSync,
  cpSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { openJournal } from '../../../runtime/journal/journal.ts';
import { readJournal, verifyJournal } from '../../../runtime/journal/read.ts';
import { Writer } from '../../../runtime/journal/writer.ts';
import type { AuditBody } from '../../../schemas/audit.ts';
import { tempDir } from '../../helpers/session.ts';

/** The real calls, watched, and what each of them synced: bytes of a file, names in a folder. `failing`: the next one does. */
const synced = vi.hoisted(() => {
  const fs = process.getBuiltinModule('node:fs');
  const seen = new Map<string, number | string[]>();
  const { fdatasync, fdatasyncSync, fsyncSync, write, writeSync } = fs;
  const look = (fd: number): void => {
    const path = fs.readlinkSync(`/proc/self/fd/${fd}`);
    const facts = fs.fstatSync(fd);
    seen.set(path, facts.isDirectory() ? fs.readdirSync(path) : facts.size);
  };
  fs.fsyncSync = (fd) => {
    look(fd);
    fsyncSync(fd);
  };
  fs.fdatasyncSync = (fd) => {
    look(fd);
    fdatasyncSync(fd);
  };
  const watched: (...words: Parameters<typeof fdatasync>) => void = (fd, done) => {
    look(fd);
    fdatasync(fd, done);
  };
  /** What is written through a descriptor of this kind is synced by the kernel, before the call returns. */
  const isDurable = (fd: number): boolean => {
    const flags = /^flags:\s+(\d+)/m.exec(fs.readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1];
    return (Number.parseInt(flags ?? '0', 8) & fs.constants.O_DSYNC) !== 0;
  };
  const failing = { next: false };
  const fail = (fd: number): Error | null => {
    if (!failing.next || !isDurable(fd)) return null;
    failing.next = false;
    return Object.assign(new Error('EIO: i/o error, write'), { code: 'EIO' });
  };
  const writing = (...words: Parameters<typeof writeSync>): number => {
    const error = fail(words[0]);
    if (error) throw error;
    const written = writeSync(...words);
    if (isDurable(words[0])) look(words[0]);
    return written;
  };
  const writingAside = (fd: number, ...words: unknown[]): void => {
    const done = words.pop() as (error: Error | null, written?: number, bytes?: Buffer) => void;
    const error = fail(fd);
    if (error) return done(error);
    const told = (thrown: Error | null, written: number, bytes: Buffer): void => {
      if (!thrown && isDurable(fd)) look(fd);
      done(thrown, written, bytes);
    };
    Reflect.apply(write, fs, [fd, ...words, told]);
  };
  // Its name and the names of what it answers with, as `promisify` finds them.
  Object.defineProperties(writingAside, Object.getOwnPropertyDescriptors(write));
  Object.assign(fs, { fdatasync: watched, writeSync: writing, write: writingAside });
  process.getBuiltinModule('node:module').syncBuiltinESMExports();
  return Object.assign(seen, { failing });
});

const body = (n: number): AuditBody => ({
  kind: 'request.forwarded',
  at: '2026-11-24T00:00:00.000Z',
  runtime: 'j',
  session: 's',
  user: 'u',
  subject: null,
  call: String(n),
});
const EMPTY = { segment: '000001.ndjson', bytes: 0, seq: 0, prev: null, torn: 0, began: null };
const immediate = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const codes = (ends: readonly PromiseSettledResult<number>[]): unknown[] =>
  ends.map((end) => (end.status === 'rejected' ? end.reason.code : end.value));

describe('a record that was called durable', () => {
  it('was synced with every byte before, alone and in a group', async () => {
    const journal = await openJournal(tempDir());
    const segment = join(journal.dir, '000001.ndjson');
    await journal.append(body(1));
    const alone = statSync(segment).size;
    expect(synced.get(segment)).toBe(alone);
    await Promise.all([journal.append(body(2)), journal.append(body(3))]);
    expect(statSync(segment).size).toBeGreaterThan(alone);
    expect(synced.get(segment)).toBe(statSync(segment).size);
    await journal.close();
  });

  it('is in a file whose name, and whose folder’s name, were synced', async () => {
    const root = tempDir();
    const journal = await openJournal(root);
    expect(synced.get(journal.dir)).toContain('000001.ndjson');
    expect(synced.get(root)).toContain(journal.id);
    await journal.close();
  });

  it('is in a next segment only when that one’s name was synced', async () => {
    const dir = join(tempDir(), 'j');
    mkdirSync(dir);
    writeFileSync(join(dir, '000001.ndjson'), Buffer.alloc(32 * 1024 * 1024));
    const writer = new Writer(dir, { ...EMPTY, bytes: 32 * 1024 * 1024 });
    await writer.append(body(1));
    expect(readdirSync(dir)).toHaveLength(2);
    expect(synced.get(dir)).toContain('000002.ndjson');
    await writer.close();
  });

  it.each([1, 2])('is not one where the sync fails: %i at once', async (n) => {
    const dir = join(tempDir(), 'j');
    mkdirSync(dir);
    symlinkSync('/dev/null', join(dir, '000001.ndjson'));
    const writer = new Writer(dir, EMPTY);
    const ends = await Promise.allSettled(Array.from({ length: n }, (_, i) => writer.append(body(i))));
    expect(codes(ends)).toEqual(Array.from({ length: n }, () => 'JOURNAL_BROKEN'));
    expect(JSON.stringify(ends)).toContain('fdatasync');
    await writer.close();
  });
});

describe('a record for which there is room', () => {
  it.each([1, 2])(
    'is written and synced in one call, and is none where that fails: %i at once',
    async (n) => {
      const journal = await openJournal(tempDir());
      const segment = join(journal.dir, '000001.ndjson');
      for (let i = 0; i < 10; i++) await journal.append(body(i));
      synced.clear();
      await Promise.all(Array.from({ length: n }, () => journal.append(body(10))));
      expect(synced.get(segment)).toBe(statSync(segment).size);
      synced.failing.next = true;
      const ends = await Promise.allSettled(Array.from({ length: n }, () => journal.append(body(11))));
      expect(codes(ends)).toEqual(Array.from({ length: n }, () => 'JOURNAL_BROKEN'));
      expect(JSON.stringify(ends)).toContain('EIO');
      await expect(journal.append(body(12))).rejects.toMatchObject({ code: 'JOURNAL_BROKEN' });
      await journal.close();
    },
  );
});

describe('a broken journal', () => {
  it('refuses what came while the failing write was under way, and writes none of it', async () => {
    const journal = await openJournal(tempDir());
    // So many that there is room for two more: a file that has to grow is looked at before it is written to.
    for (let n = 1; n <= 10; n++) await journal.append(body(n));
    const held = openSync(join(journal.dir, '000001.ndjson'), 'r');
    rmSync(dirname(journal.dir), { recursive: true });
    const first = [journal.append(body(11)), journal.append(body(12))];
    await immediate();
    const ends = await Promise.allSettled([...first, journal.append(body(13))]);
    expect(codes(ends)).toEqual(['JOURNAL_BROKEN', 'JOURNAL_BROKEN', 'JOURNAL_BROKEN']);
    await immediate();
    const lines = readFileSync(held, 'utf8').trim().split('\n');
    expect(lines.map((line) => JSON.parse(line).body.call)).toEqual(
      Array.from({ length: 12 }, (_, n) => String(n + 1)),
    );
    closeSync(held);
    await journal.close();
  });

  it('keeps nothing of a note', async () => {
    const journal = await openJournal(tempDir());
    rmSync(dirname(journal.dir), { recursive: true });
    await journal.append(body(1)).catch(() => undefined);
    let read = 0;
    const watched = Object.defineProperty(body(2), 'call', { enumerable: true, get: () => `${++read}` });
    journal.note(watched);
    expect(read).toBe(0);
    await journal.close();
  });

  it('is one whose next segment cannot begin: it is closed once, and may be taken again', async () => {
    const root = tempDir();
    const journal = await openJournal(root, { bytes: 1, ageMs: Number.POSITIVE_INFINITY });
    const stone = join(journal.dir, '000002.ndjson');
    mkdirSync(stone);
    await expect(journal.append(body(1))).rejects.toMatchObject({ code: 'JOURNAL_BROKEN' });
    const other = join(tempDir(), 'other');
    const next = Array.from({ length: 8 }, () => openSync(other, 'a'));
    await journal.close();
    for (const fd of next) closeSync(fd);
    rmSync(stone, { recursive: true });
    const again = await openJournal(root);
    expect([again.id, await again.append(body(2))]).toEqual([journal.id, 2]);
    await again.close();
  });

  it('is one that was closed: its descriptor may be another file’s by now', async () => {
    const journal = await openJournal(tempDir());
    await journal.append(body(1));
    await journal.close();
    const other = join(tempDir(), 'other');
    const next = Array.from({ length: 8 }, () => openSync(other, 'a'));
    await expect(journal.append(body(2))).rejects.toMatchObject({ code: 'JOURNAL_BROKEN' });
    expect(readFileSync(other, 'utf8')).toBe('');
    for (const fd of next) closeSync(fd);
  });
});

/** A journal of ten records as a kill leaves it, with room behind them; and what stands there. */
async function killed(): Promise<{ root: string; segment: string; whole: Buffer; room: number }> {
  const [root, left] = [tempDir(), tempDir()];
  const journal = await openJournal(root);
  for (let n = 1; n <= 10; n++) await journal.append(body(n));
  cpSync(journal.dir, join(left, journal.id), { recursive: true });
  await journal.close();
  const segment = join(left, journal.id, '000001.ndjson');
  const whole = readFileSync(join(journal.dir, '000001.ndjson'));
  return { root: left, segment, whole, room: statSync(segment).size - whole.length };
}

async function kindsIn(root: string): Promise<string[]> {
  const kinds: string[] = [];
  for await (const record of readJournal(root)) kinds.push(record.body.kind);
  return kinds.slice(9);
}

describe('room for records to come', () => {
  it('is no record, and goes when the journal is closed or opened again; nothing was torn', async () => {
    const { root, segment, whole, room } = await killed();
    expect(room).toBeGreaterThan(whole.length / 3);
    expect(readFileSync(segment)).toEqual(Buffer.concat([whole, Buffer.alloc(room, '\t')]));
    expect(await verifyJournal(root)).toEqual({ journals: 1, records: 10 });
    const again = await openJournal(root);
    expect(readFileSync(segment)).toEqual(whole);
    await again.append(body(11));
    await again.close();
    expect(await kindsIn(root)).toEqual(['request.forwarded', 'request.forwarded']);
  });

  it.each<[string, (room: number) => Buffer]>([
    ['its beginning', (room) => Buffer.from('{"seq":11'.padEnd(room, '\t'))],
    ['its end', (room) => Buffer.from('"}\n'.padStart(room - 1, '\t').padEnd(room, '\t'))],
    ['both, with a hole between', (room) => Buffer.from(`{"seq":11${'\t'.repeat(room - 12)}"}\n`)],
  ])('ends what counts where a loss of power left of a record %s: it is cut, and said', async (_, made) => {
    const { root, segment, whole, room } = await killed();
    writeFileSync(segment, Buffer.concat([whole, made(room)]));
    expect(await verifyJournal(root)).toEqual({ journals: 1, records: 10 });
    const again = await openJournal(root);
    await again.close();
    expect(await kindsIn(root)).toEqual(['request.forwarded', 'journal.recovered']);
    expect(readFileSync(segment).subarray(0, whole.length)).toEqual(whole);
  });

  it('may stand behind an earlier segment, but nothing behind it', async () => {
    const { root, segment, room } = await killed();
    writeFileSync(segment.replace('000001', '000002'), '');
    expect(await verifyJournal(root)).toEqual({ journals: 1, records: 10 });
    truncateSync(segment, statSync(segment).size - room);
    appendFileSync(segment, '\t\tx');
    await expect(verifyJournal(root)).rejects.toMatchObject({ code: 'JOURNAL_CHAIN' });
  });
});

describe('a journal that is opened again', () => {
  it('has synced what a killed process may have left unsynced, before anything follows it', async () => {
    const root = tempDir();
    const journal = await openJournal(root);
    await journal.append(body(1));
    await journal.close();
    const segment = join(journal.dir, '000001.ndjson');
    synced.clear();
    const again = await openJournal(root);
    expect(synced.get(segment)).toBe(statSync(segment).size);
    expect(again.durable()).toBe(1);
    await again.close();
  });

  it('goes on from the segment before where the last one has no record yet', async () => {
    const root = tempDir();
    const journal = await openJournal(root);
    for (const n of [1, 2]) await journal.append(body(n));
    await journal.close();
    appendFileSync(join(journal.dir, '000002.ndjson'), '');
    const again = await openJournal(root);
    expect(await again.append(body(3))).toBe(3);
    await again.close();
    expect(await verifyJournal(root)).toEqual({ journals: 1, records: 3 });
  });
});
