/**
 * The journal: NDJSON segments of hash-chained records. `append` resolves when the record is on the disk; whoever calls
 * waits for that before it acts. A lone record is written and synced at once; records that queue up share one sync.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import type { AuditBody } from '../../schemas/audit.ts';
import { readSegment, segmentsOf } from './read.ts';
import { broken, type Tail, Writer } from './writer.ts';

export { readJournal, verifyJournal } from './read.ts';

export interface Journal {
  readonly id: string;
  readonly dir: string;
  /** Key for hashing secrets; never leaves this folder. */
  readonly key: Buffer;
  /** Resolves with the sequence number once durable. Rejects JOURNAL_BROKEN, then and ever after. */
  append(body: AuditBody): Promise<number>;
  /** Queues a record that nothing waits for; a failure shows at the next `append`. */
  note(body: AuditBody): void;
  close(): Promise<void>;
}

/** Takes a free journal below `root`, or makes one. Several processes each get their own. */
export async function openJournal(root: string): Promise<Journal> {
  await mkdir(root, { recursive: true, mode: 0o700 });
  for (const name of (await readdir(root)).filter((entry) => /^j-[0-9a-f]{16}$/.test(entry)).sort()) {
    const hold = await claim(name);
    if (hold) return open(join(root, name), name, hold);
  }
  const id = `j-${randomBytes(8).toString('hex')}`;
  const hold = await claim(id);
  if (!hold) throw broken('a new journal', 'its name is taken');
  await mkdir(join(root, id), { mode: 0o700 });
  return open(join(root, id), id, hold);
}

/** The kernel keeps the claim: an abstract socket goes with its process, however that ends. */
function claim(id: string): Promise<Server | null> {
  const server = createServer((socket) => socket.destroy());
  server.unref();
  return new Promise((resolve) => {
    server.once('error', () => resolve(null));
    server.listen(`\0lockkeeper-${process.getuid?.() ?? 0}-${id}`, () => resolve(server));
  });
}

async function tailOf(dir: string): Promise<Tail> {
  const segments = await segmentsOf(dir);
  let tail: Tail = { segment: segments.length || 1, bytes: 0, seq: 0, prev: null, torn: 0 };
  for (const name of segments.slice(-2)) {
    const { last, bytes, torn } = await readSegment(join(dir, name));
    if (last) tail = { ...tail, seq: last.seq, prev: last.digest };
    tail = { ...tail, bytes, torn };
  }
  return tail;
}

async function keyOf(dir: string): Promise<Buffer> {
  const path = join(dir, 'redaction.key');
  const known = await readFile(path).catch(() => null);
  if (known?.length === 32) return known;
  const key = randomBytes(32);
  await writeFile(path, key, { mode: 0o600 });
  return key;
}

async function open(dir: string, id: string, hold: Server): Promise<Journal> {
  const tail = await tailOf(dir);
  const key = await keyOf(dir);
  const writer = new Writer(dir, tail);
  const journal: Journal = {
    id,
    dir,
    key,
    append: (body) => writer.append(body),
    note: (body) => writer.note(body),
    close: async () => {
      await writer.close();
      hold.close();
    },
  };
  if (tail.torn > 0) {
    const detail = { cutBytes: tail.torn };
    await journal.append({
      kind: 'journal.recovered',
      at: new Date().toISOString(),
      runtime: id,
      session: '-',
      user: '-',
      subject: null,
      detail,
    });
  }
  return journal;
}
