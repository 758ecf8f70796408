/** What servers say on stderr, for people at this machine: the end of each start's words, secrets hidden. Nobody judged them. */
import { randomBytes } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { redactText } from '../runtime/journal/redact.ts';
import { writeView } from '../runtime/store/atomic.ts';
import { namesIn } from '../runtime/store/there.ts';
import { Closed, Instant } from '../schemas/common.ts';
import { type Static, Type } from '../schemas/type.ts';
import { readViews } from './instances.ts';

/** Of each start, bytes; of more, the end. */
export const KEPT_BYTES = 64 * 1024;
/** Starts on this machine; of more, the oldest go. */
const KEPT_STARTS = 200;
/** However much is said, it is written so often. */
const WRITE_MS = 1000;

const Word = Type.String({ maxLength: 200 });
const LogFile = Closed({
  lockkeeper: Type.Literal('server-log/v1'),
  alias: Word,
  server: Word,
  version: Word,
  project: Word,
  user: Word,
  /** Of lk run or lk gateway. */
  pid: Type.Integer({ minimum: 1 }),
  started: Instant,
  /** Bytes that it said in all; `text` has the end of them. */
  said: Type.Integer({ minimum: 0 }),
  text: Type.String(),
});
export type ServerLog = Omit<Static<typeof LogFile>, 'lockkeeper'>;
type Known = Omit<ServerLog, 'pid' | 'started' | 'said' | 'text'>;

const folderOf = (home: string): string => join(home, 'logs');

/** Those that are kept here, the newest start first. */
export async function readServerLogs(home: string): Promise<ServerLog[]> {
  const files = await readViews(folderOf(home), LogFile);
  const logs = files.map(({ file: { lockkeeper: _, ...log } }) => log);
  return logs.sort((a, b) => (a.started < b.started ? 1 : -1));
}

interface Keeping {
  readonly home: string;
  /** Secrets are replaced by what they hash to under it. */
  readonly key: Buffer;
  readonly say: (line: string) => void;
}

export class ServerLogs {
  readonly #o: Keeping;
  readonly #unwritten = new Set<Log>();
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();
  #told = false;

  constructor(options: Keeping) {
    this.#o = options;
  }

  /** Called at each start of such a server: what hears it then. Takes no more than it keeps, and nobody waits for it. */
  of({ alias, server, version, project, user }: Known): () => (chunk: Buffer) => void {
    return () => {
      const log = new Log({ alias, server, version, project, user });
      this.#soon(log);
      return (chunk) => {
        log.add(chunk);
        this.#soon(log);
      };
    };
  }

  /** Writes what is not yet. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#write();
    await this.#writing;
  }

  #soon(log: Log): void {
    if (this.#unwritten.size === 0) this.#timer = setTimeout(() => this.#write(), WRITE_MS).unref();
    this.#unwritten.add(log);
  }

  #write(): void {
    const logs = [...this.#unwritten];
    this.#unwritten.clear();
    this.#writing = this.#writing
      .then(() => this.#put(logs))
      .catch((error: Error) => {
        if (!this.#told) this.#o.say(`what servers say is not kept: ${error.message}`);
        this.#told = true;
      });
  }

  async #put(logs: readonly Log[]): Promise<void> {
    if (logs.length === 0) return;
    const folder = folderOf(this.#o.home);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    for (const log of logs) await writeView(join(folder, log.name), log.file(this.#o.key));
    const names = (await namesIn(folder)).filter((name) => name.endsWith('.json')).sort();
    for (const name of names.slice(0, -KEPT_STARTS)) await rm(join(folder, name), { force: true });
  }
}

/** Of one start. */
class Log {
  readonly #known: Known;
  readonly #started = new Date().toISOString();
  /** The oldest start has the first name. */
  readonly name = `${this.#started.replace(/\W/g, '')}-${randomBytes(4).toString('hex')}.json`;
  #chunks: Buffer[] = [];
  #held = 0;
  #said = 0;

  constructor(known: Known) {
    this.#known = known;
  }

  add(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#held += chunk.length;
    this.#said += chunk.length;
    if (this.#held > 2 * KEPT_BYTES) this.#cut();
  }

  file(key: Buffer): string {
    const text = redactText(this.#cut().toString('utf8'), key);
    const more = { pid: process.pid, started: this.#started, said: this.#said, text };
    const file: Static<typeof LogFile> = { lockkeeper: 'server-log/v1', ...this.#known, ...more };
    return `${JSON.stringify(file)}\n`;
  }

  /** What is left begins with a line: half a secret would not be known for one. */
  #cut(): Buffer {
    let held = Buffer.concat(this.#chunks);
    if (held.length > KEPT_BYTES) {
      held = held.subarray(-KEPT_BYTES);
      held = Buffer.from(held.subarray(held.indexOf(10) + 1));
    }
    this.#chunks = [held];
    this.#held = held.length;
    return held;
  }
}
