/** Reporting what runs: on this machine as a file each, at the registry as one list, every 15 s and on change. */
import { randomUUID } from 'node:crypto';
import type { FleetReporter, Instance } from '../runtime/fleet.ts';
import { asLockkeeperError } from '../schemas/errors.ts';
import { FleetAck, type FleetInstance, MAX_INSTANCES, REPORT_S } from '../schemas/fleet.ts';
import type { Api } from './api.ts';
import { removeInstance, writeInstance } from './instances.ts';

interface FleetTiming {
  readonly reportMs: number;
  /** Changes within so long are told together. */
  readonly gatherMs: number;
  /** Counts of calls alone are written so seldom. */
  readonly countMs: number;
}

export interface FleetOptions {
  /** Folder of this person on this machine. */
  readonly home: string;
  /** Null: nobody else is told. */
  readonly api: Api | null;
  readonly runtime: string;
  readonly host: string;
  readonly say: (line: string) => void;
  readonly timing?: Partial<FleetTiming>;
}

export interface RunningReporter extends FleetReporter {
  /** Says that nothing is kept any more, and waits for that a little. */
  close(): Promise<void>;
}

const TIMING: FleetTiming = { reportMs: REPORT_S * 1000, gatherMs: 250, countMs: 2000 };
const ANSWER_MS = 5000;

export function fleetReporter(options: FleetOptions): RunningReporter {
  return new Reporter(options);
}

export interface Told {
  readonly onState: (change: { readonly to: Instance['state'] }) => void;
  readonly onCall: () => void;
  /** It is not kept any more; told again, it is there again. */
  readonly gone: () => void;
}

/** What a session is to call so that one instance is known: its states as they change, its calls as they go out. */
export function tellOf(
  reporter: FleetReporter,
  known: Omit<Instance, 'id' | 'state' | 'since' | 'calls'>,
): Told {
  const id = randomUUID();
  return {
    onState: ({ to }) => reporter.report({ ...known, id, state: to, since: new Date().toISOString() }),
    onCall: () => reporter.called(id),
    gone: () => reporter.gone(id),
  };
}

type State = Omit<Instance, 'calls'>;

class Reporter implements RunningReporter {
  readonly #o: FleetOptions;
  readonly #timing: FleetTiming;
  readonly #kept = new Map<string, { readonly state: State; calls: number }>();
  /** Files of each instance are written one after the other. */
  #files: Promise<void> = Promise.resolve();
  /** Instances whose count is to be written. */
  readonly #counting = new Map<string, NodeJS.Timeout>();
  #timer: NodeJS.Timeout | undefined;
  #sending: Promise<void> | null = null;
  /** Until what could not be written is tried again. */
  #again: NodeJS.Timeout | undefined;
  /** What could not be told, and was said. */
  readonly #told = new Set<'here' | 'registry'>();
  #closed = false;

  constructor(options: FleetOptions) {
    this.#o = options;
    this.#timing = { ...TIMING, ...options.timing };
  }

  report(state: State): void {
    if (this.#closed) return;
    const before = this.#kept.get(state.id);
    if (before && isSame(before.state, state)) return;
    this.#kept.set(state.id, { state, calls: before?.calls ?? 0 });
    this.#soon(this.#timing.gatherMs);
    this.#file(() => this.#write(state.id));
  }

  called(id: string): void {
    const kept = this.#kept.get(id);
    if (!kept) return;
    kept.calls++;
    this.#later(id);
  }

  gone(id: string): void {
    if (!this.#kept.delete(id)) return;
    clearTimeout(this.#counting.get(id));
    this.#counting.delete(id);
    this.#file(() => removeInstance(this.#o.home, id));
    this.#soon(this.#timing.gatherMs);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#again);
    for (const id of [...this.#kept.keys()]) this.gone(id);
    clearTimeout(this.#timer);
    await this.#files;
    await this.#sending;
    await this.#send();
  }

  #later(id: string): void {
    if (this.#counting.has(id)) return;
    const write = (): void => {
      this.#counting.delete(id);
      this.#file(() => this.#write(id));
    };
    this.#counting.set(id, setTimeout(write, this.#timing.countMs).unref());
  }

  /** The newest of it, whatever came in between. */
  async #write(id: string): Promise<void> {
    const kept = this.#kept.get(id);
    if (kept) await writeInstance(this.#o.home, { ...kept.state, calls: kept.calls });
  }

  /** All of it, after some of it could not be written. */
  async #whole(): Promise<void> {
    this.#again = undefined;
    for (const id of this.#kept.keys()) await this.#write(id);
    this.#told.delete('here');
  }

  #file(work: () => Promise<void>): void {
    this.#files = this.#files.then(work).catch((error: unknown) => {
      this.#tell('here', error);
      if (!this.#closed)
        this.#again ??= setTimeout(() => this.#file(() => this.#whole()), this.#timing.reportMs).unref();
    });
  }

  #soon(ms: number): void {
    if (this.#o.api === null || this.#closed) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#beat(), ms);
    this.#timer.unref();
  }

  async #beat(): Promise<void> {
    await this.#sending;
    this.#sending ??= this.#send().finally(() => {
      this.#sending = null;
    });
    await this.#sending;
    if (this.#kept.size > 0) this.#soon(this.#timing.reportMs);
  }

  async #send(): Promise<void> {
    const { api, runtime, host } = this.#o;
    const { instances, more } = listed([...this.#kept.values()].map(({ state }) => state));
    const body = { runtime, host, instances, ...(more > 0 ? { more } : {}) };
    try {
      await api?.within(ANSWER_MS).call('fleetReport', FleetAck, { body });
      this.#told.delete('registry');
    } catch (error) {
      this.#tell('registry', error);
    }
  }

  /** Once: what runs goes on running. */
  #tell(whom: 'here' | 'registry', error: unknown): void {
    if (!this.#told.has(whom)) this.#o.say(`what runs here is not told: ${asLockkeeperError(error).message}`);
    this.#told.add(whom);
  }
}

/** What has a process comes first, where not everything fits into one report. */
function listed(kept: readonly State[]): { instances: FleetInstance[]; more: number } {
  const resting = ({ state }: State): number => (state === 'COLD' ? 1 : 0);
  const instances = [...kept].sort((a, b) => resting(a) - resting(b)).slice(0, MAX_INSTANCES);
  return { instances: instances.map(reported), more: kept.length - instances.length };
}

function reported({ alias: _alias, ...instance }: State): FleetInstance {
  return instance;
}

function isSame(a: State, b: State): boolean {
  return (Object.keys(reported(b)) as (keyof FleetInstance)[]).every((name) => a[name] === b[name]);
}
