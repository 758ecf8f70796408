/** One runtime after another, each killed at a random moment, on homes that several of them follow each other in. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { verifyJournal } from '../../runtime/journal/journal.ts';
import type { Surface } from '../../schemas/surface.ts';
import { driver, openDir, planFor } from '../helpers/sandbox.ts';
import { captureOf } from '../helpers/session.ts';
import { beginCalling } from './callers.ts';
import { durablyRecorded, marked, reached } from './look.ts';
import type { Life } from './runtime.ts';

const SERVER = join(import.meta.dirname, '../servers/counted.sh');
const RUNTIME = join(import.meta.dirname, 'runtime.ts');
const PRELOAD = join(import.meta.dirname, 'synced.mjs');

/** So many runtimes follow each other on one journal. */
const LIVES = 25;
/** A third of the moments are counted from its first word, the others from the first answer; ms. */
const FROM_START_MS = 300;
const FROM_ANSWER_MS = 250;
/** What takes longer than this to start, to answer once or to end did not; ms. */
const LIFE_MS = 60_000;
/** After this the kernel has ended what died with its parent, or will not; ms. */
const GONE_MS = 10_000;

export interface Death {
  /** Calls of this life that reached a server, and that were answered. */
  readonly reached: number;
  readonly answered: number;
  /** Calls that reached a server without a record that a loss of power leaves. */
  readonly withoutRecord: readonly string[];
  /** What stands in the way of the chain; null when it verifies. */
  readonly chain: string | null;
  /** How long processes outlived it, ms; null when some still do. */
  readonly goneMs: number | null;
  /** Processes of earlier lives that were there when it had started. */
  readonly orphans: number;
  readonly refused: readonly string[];
}

export class Field {
  readonly #root = openDir();
  readonly #nonce = randomBytes(6).toString('hex');
  readonly #hasty: boolean;
  #surface: Surface | null = null;
  #lives = 0;
  #next: ChildProcessWithoutNullStreams | null = null;

  constructor({ hasty = false }: { hasty?: boolean } = {}) {
    this.#hasty = hasty;
  }

  async open(): Promise<void> {
    const app = join(this.#root, 'app');
    mkdirSync(app);
    copyFileSync(SERVER, join(app, 'counted.sh'));
    const plan = planFor(app, ['sh', '/app/counted.sh', '/dev/null', `lk-kills-${this.#nonce}-first`]);
    const surface = await captureOf(await driver.start(plan));
    this.#surface = { ...surface, capture: { ...surface.capture, eras: ['session', 'stateless'] } };
    this.#next = this.#load(1);
  }

  /** Starts one, lets it be called, kills it at the moment that `random` has for it, and looks. */
  async kill(random: () => number): Promise<Death> {
    const life = ++this.#lives;
    const child = this.#next ?? this.#load(life);
    const mark = `lk-kills-${this.#nonce}-${life}-`;
    const home = this.#home(life);
    try {
      const surface = this.#surface as Surface;
      const url = await within(
        this.#begin(child, { home, mark, surface, hasty: this.#hasty }),
        `life ${life}: its start`,
      );
      const orphans = this.#orphans(mark);
      const calling = beginCalling(url, `k${life}`);
      this.#next = this.#load(life + 1);
      if (random() < 1 / 3) await sleep(random() * FROM_START_MS);
      else
        await within(calling.first, `life ${life}: its first answer`).then(() =>
          sleep(random() * FROM_ANSWER_MS),
        );
      child.kill('SIGKILL');
      await once(child, 'close');
      const goneMs = await gone(mark);
      await within(calling.over, `life ${life}: the end of its callers`);
      const { answered, refused } = calling;
      return { ...(await this.#look(home, `k${life}-`)), answered: answered.size, goneMs, orphans, refused };
    } finally {
      child.kill('SIGKILL');
      // Nobody follows in this home: what it holds was looked at.
      if (life % LIVES === 0) rmSync(home, { recursive: true, force: true });
    }
  }

  /** What is still there when one more runtime had its start: its sweep is the last word. */
  async close(): Promise<number> {
    this.#next?.kill('SIGKILL');
    await driver.detect();
    const orphans = this.#orphans('');
    rmSync(this.#root, { recursive: true, force: true });
    return orphans;
  }

  #home(life: number): string {
    return join(this.#root, `home-${Math.ceil(life / LIVES)}`);
  }

  #load(life: number): ChildProcessWithoutNullStreams {
    const home = this.#home(life);
    mkdirSync(home, { recursive: true });
    const env = {
      PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
      NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? join(this.#root, 'compiled'),
      LK_TEST_SYNCED: join(home, 'synced'),
    };
    const child = spawn(process.execPath, ['--import', PRELOAD, RUNTIME], { env });
    child.stdin.on('error', () => undefined);
    return child;
  }

  async #begin(child: ChildProcessWithoutNullStreams, life: Life): Promise<string> {
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    const died = once(child, 'close').then(() => {
      throw new Error(`the runtime did not start: ${said}`);
    });
    died.catch(() => undefined);
    child.stdin.write(`${JSON.stringify(life)}\n`);
    const [url] = (await Promise.race([once(child.stdout, 'data'), died])) as [Buffer];
    return url.toString().trim();
  }

  #orphans(mark: string): number {
    return marked(`lk-kills-${this.#nonce}-`).filter(({ words }) => mark === '' || !words.includes(mark))
      .length;
  }

  async #look(home: string, prefix: string): Promise<Pick<Death, 'reached' | 'withoutRecord' | 'chain'>> {
    const [calls, records] = [reached(home), durablyRecorded(home)];
    const chain = await verifyJournal(join(home, 'journal')).then(
      () => null,
      (error: Error) => error.message,
    );
    return {
      reached: [...calls].filter((message) => message.startsWith(prefix)).length,
      withoutRecord: [...calls].filter((message) => message.startsWith(prefix) && !records.has(message)),
      chain,
    };
  }
}

/** What it comes to, or an error that names what did not come. */
async function within<T>(awaited: Promise<T>, what: string): Promise<T> {
  const late = new AbortController();
  const limit = sleep(LIFE_MS, undefined, { signal: late.signal }).then(() => {
    throw new Error(`${what} did not come within ${LIFE_MS / 1000} s`);
  });
  limit.catch(() => undefined);
  return Promise.race([awaited, limit]).finally(() => late.abort());
}

/** How long it took until nothing of this life was left; null when something is. */
async function gone(mark: string): Promise<number | null> {
  const since = performance.now();
  while (marked(mark).length > 0) {
    if (performance.now() - since > GONE_MS) return null;
    await sleep(2);
  }
  return performance.now() - since;
}
