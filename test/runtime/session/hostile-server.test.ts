/** What a server can do to the runtime that keeps it: each row a real runtime, a real sandbox and a server at its worst. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { checkMount } from '../../../runtime/isolation/mounts.ts';
import { verifyJournal } from '../../../runtime/journal/journal.ts';
import { readJournal } from '../../../runtime/journal/read.ts';
import { readLines } from '../../../runtime/wire/lines.ts';
import type { AuditBody } from '../../../schemas/audit.ts';
import type { JsonObject } from '../../../schemas/common.ts';
import { openDir } from '../../helpers/sandbox.ts';
import { codeOf, INITIALIZE } from '../../helpers/session.ts';
import { PATIENCE_MS, until } from '../../helpers/wait.ts';

const RUNTIME = join(import.meta.dirname, '../../helpers/hostile-runtime.ts');
const MIB = 1 << 20;
/** What any of them may cost the runtime, beside what it needs for a session that is quiet. */
const BOUND_MIB = 512;

interface Facing {
  readonly dir: string;
  readonly child: ChildProcessWithoutNullStreams;
  readonly received: JsonObject[];
  send(message: JsonObject): boolean;
  next(fits: (message: JsonObject) => boolean, ms?: number): Promise<JsonObject | null>;
  call(id: number, name?: string, args?: JsonObject): Promise<JsonObject | null>;
  /** MiB of memory that it had at most so far. */
  peak(): number;
  /** The client closes, or the runtime has ended already. */
  end(): Promise<{ reason: string; code: string | null }>;
  records(): Promise<AuditBody[]>;
}

async function face(how: string): Promise<Facing> {
  const dir = openDir();
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', RUNTIME, dir, how]);
  const received: JsonObject[] = [];
  let words = '';
  child.stderr.on('data', (chunk: Buffer) => {
    words = (words + chunk.toString()).slice(-4000);
  });
  child.stdin.on('error', () => undefined);
  readLines(child.stdout, 64 * MIB, {
    line: (bytes) =>
      received.push(bytes.length > MIB ? { id: idIn(bytes), result: {} } : JSON.parse(bytes.toString())),
    end: () => undefined,
    error: () => undefined,
  });
  let highest = 0;
  const look = (): void => {
    const path = `/proc/${child.pid}/status`;
    const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
    highest = Math.max(highest, Number(/^VmHWM:\s+(\d+)/m.exec(text)?.[1] ?? 0) / 1024);
  };
  const looking = setInterval(look, 20);
  const closed = once(child, 'close').finally(() => clearInterval(looking));
  const facing: Facing = {
    dir,
    child,
    received,
    send: (message) => child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`),
    next: async (fits, ms = PATIENCE_MS) => {
      for (const late = performance.now() + ms; performance.now() < late; await sleep(10)) {
        const found = received.find(fits);
        if (found || child.exitCode !== null) return found ?? received.find(fits) ?? null;
      }
      return null;
    },
    call: (id, name = 'do', args = {}) => {
      facing.send({ id, method: 'tools/call', params: { name, arguments: args } });
      return facing.next((message) => message.id === id && message.method === undefined);
    },
    peak: () => {
      look();
      return highest;
    },
    end: async () => {
      child.stdin.end();
      await closed;
      return JSON.parse(words.trim().split('\n').at(-1) ?? '{}');
    },
    records: async () => {
      const bodies: AuditBody[] = [];
      for await (const { body } of readJournal(join(dir, 'journal'))) bodies.push(body);
      return bodies;
    },
  };
  await greet(facing);
  return facing;
}

/** Of a large answer, which is not kept. */
function idIn(bytes: Buffer): number {
  return Number(/"id":(\d+)/.exec(bytes.toString('latin1', 0, 100))?.[1] ?? -1);
}

async function greet({ send, next }: Facing): Promise<void> {
  send({ id: 0, method: 'initialize', params: { ...INITIALIZE, capabilities: { sampling: {} } } });
  expect(await next(({ id }) => id === 0)).toMatchObject({ result: {} });
  send({ method: 'notifications/initialized' });
}

/** Nobody of it is left, and what was written is whole. */
async function expectClean({ dir }: Facing): Promise<void> {
  const pid = readFileSync(join(dir, 'pid'), 'utf8');
  expect(existsSync(`/proc/${pid}`)).toBe(false);
  expect(await verifyJournal(join(dir, 'journal'))).toMatchObject({ journals: 1 });
}

interface Row {
  readonly what: string;
  /** The call is answered so: with a result, with this code, or not at all. */
  readonly call: 'result' | 'none' | string;
  /** Why the session ended by itself; null where it did not, and another call is answered. */
  readonly ends: string | null;
  /** Records of what was refused. */
  readonly refusals?: (records: readonly AuditBody[]) => void;
}

const count = (records: readonly AuditBody[], kind: AuditBody['kind']): number =>
  records.filter((record) => record.kind === kind).length;

const rows: Readonly<Record<string, Row>> = {
  good: { what: 'nothing', call: 'result', ends: null },
  line: { what: 'a line without an end', call: 'FRAME_TOO_LARGE', ends: 'FRAME_TOO_LARGE' },
  blank: { what: 'empty lines for ever', call: 'FRAME_INVALID', ends: 'FRAME_INVALID' },
  frame: { what: 'an answer of 100 MB', call: 'FRAME_TOO_LARGE', ends: 'FRAME_TOO_LARGE' },
  frames: { what: 'three notices of 30 MB', call: 'RATE_LIMITED', ends: 'RATE_LIMITED' },
  storm: { what: '5,000 notices of changed lists at once', call: 'result', ends: null },
  restless: { what: 'lists that change for ever', call: 'RATE_LIMITED', ends: 'RATE_LIMITED' },
  requests: { what: '100,000 requests to the client', call: 'RATE_LIMITED', ends: 'RATE_LIMITED' },
  strange: { what: '100,000 requests that nobody knows', call: 'RATE_LIMITED', ends: 'RATE_LIMITED' },
  wide: {
    what: 'a result with 300,000 members',
    call: 'RESULT_INVALID',
    ends: null,
    refusals: (records) =>
      expect(records.find(({ kind }) => kind === 'request.finished')?.message).toContain(
        'at most 131072 members',
      ),
  },
  shapeless: { what: 'a result that is no object', call: 'RESULT_INVALID', ends: null },
  prototype: { what: 'members named like those of every object', call: 'result', ends: null },
  bytes: { what: 'bytes that are no text', call: 'SERVER_DIED', ends: 'SERVER_DIED' },
  stderr: { what: '200 MB of words on stderr', call: 'result', ends: null },
  deep: {
    what: 'a result a million levels deep',
    call: 'CONTENT_BLOCKED',
    ends: null,
    refusals: (records) => expect(count(records, 'response.refused')).toBe(1),
  },
  forged: {
    what: 'answers under ids of others',
    call: 'result',
    ends: null,
    refusals: (records) => expect(count(records, 'response.refused')).toBeGreaterThanOrEqual(12),
  },
};

describe('a hostile server', () => {
  it.each(Object.entries(rows))('%s: its runtime keeps its bounds', async (how, row) => {
    const facing = await face(how);
    const quiet = facing.peak();
    const answer = await facing.call(1);
    const peak = facing.peak();
    if (row.call === 'result') expect(answer?.error ?? null, row.what).toBe(null);
    else expect(codeOf(answer ?? {}), row.what).toBe(row.call);
    expect(peak - quiet, 'MiB').toBeLessThan(BOUND_MIB);
    if (row.ends === null) expect(await facing.call(2)).toMatchObject({ result: {} });
    expect(await facing.end()).toMatchObject({ code: row.ends });
    expect(facing.received.filter(({ id }) => id === 1).length).toBe(1);
    expect(
      facing.received.filter(({ method }) => method === 'sampling/createMessage').length,
    ).toBeLessThanOrEqual(256);
    await expectClean(facing);
    row.refusals?.(await facing.records());
  });

  it('an answer that never ends holds up nobody for ever: its client gives up, and it is stopped', async () => {
    const facing = await face('dribble');
    facing.send({ id: 1, method: 'tools/call', params: { name: 'do', arguments: {} } });
    expect(await facing.next(({ id }) => id === 1, 1000)).toBe(null);
    facing.send({ method: 'notifications/cancelled', params: { requestId: 1 } });
    const began = performance.now();
    expect(await facing.end()).toEqual({ reason: 'client closed', code: null });
    expect(performance.now() - began).toBeLessThan(15_000);
    await expectClean(facing);
    expect((await facing.records()).find(({ kind }) => kind === 'request.finished')).toMatchObject({
      outcome: 'lost',
    });
  });

  it('that reads nothing makes its client wait, not its runtime grow', async () => {
    const facing = await face('deaf');
    facing.send({ id: 1, method: 'tools/call', params: { name: 'do', arguments: {} } });
    await sleep(1000);
    const quiet = facing.peak();
    const big = { name: 'do', arguments: { text: 'x'.repeat(4 * MIB) } };
    let held = 0;
    for (let id = 2; id < 40; id++) if (!facing.send({ id, method: 'tools/call', params: big })) held++;
    for (let left = 0; left !== facing.child.stdin.writableLength; await sleep(1000))
      left = facing.child.stdin.writableLength;
    expect(facing.child.stdin.writableLength, 'bytes that the client still holds').toBeGreaterThan(16 * MIB);
    expect(facing.peak() - quiet).toBeLessThan(BOUND_MIB);
    expect(held).toBeGreaterThan(0);
    facing.child.kill('SIGKILL');
    await once(facing.child, 'close');
    await until(() => !existsSync(`/proc/${readFileSync(join(facing.dir, 'pid'), 'utf8')}`));
    await expectClean(facing);
  });

  it('that ignores every signal, or leaves two hundred children, is gone with all of them', async () => {
    for (const how of ['stubborn', 'forks']) {
      const facing = await face(how);
      expect(await facing.call(1), how).toMatchObject({ result: {} });
      await facing.end();
      await expectClean(facing);
    }
    expect(running('hostile-child')).toEqual([]);
  });

  it('whose schemas cost too much is judged at once, and answered no further', async () => {
    const facing = await face('good');
    for (const [id, name, text] of [
      [1, 'pattern', `${'a'.repeat(50_000)}!`],
      [2, 'bomb', 7],
    ] as const) {
      const began = performance.now();
      expect(codeOf((await facing.call(id, name, { text })) ?? {}), name).toBe('ARGUMENTS_INVALID');
      expect(performance.now() - began, name).toBeLessThan(15_000);
    }
    await facing.end();
    await expectClean(facing);
  });

  it('that leaves links and sockets where it may write leads no later mount out of there', async () => {
    const facing = await face('links');
    expect(await facing.call(1)).toMatchObject({ result: {} });
    const at = { projectDir: facing.dir, homes: [], mode: 'ro' } as const;
    for (const name of ['link', 'root', 'socket'])
      await expect(checkMount(join(facing.dir, 'data', name), at), name).rejects.toMatchObject({
        code: 'MOUNT_REFUSED',
      });
    expect(await checkMount(join(facing.dir, 'data/there'), at)).toBe(join(facing.dir, 'data/there'));
    await facing.end();
    await expectClean(facing);
  });
});

/** Processes of this machine whose command line has the word. */
function running(word: string): string[] {
  return readdirSync('/proc').filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      return readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(word);
    } catch {
      return false;
    }
  });
}
