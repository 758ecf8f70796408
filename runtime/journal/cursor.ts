/** How far one sink has taken one journal: a small file beside its segments, and all that a restart needs. */
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Closed, Digest, Instant } from '../../schemas/common.ts';
import { parseStrict } from '../../schemas/json.ts';
import { type Static, Type } from '../../schemas/type.ts';
import { isValid } from '../../schemas/validate.ts';
import { type Place, START } from './read.ts';

const Count = Type.Integer({ minimum: 0 });

const CursorFile = Closed({
  lockkeeper: Type.Literal('cursor/v1'),
  segment: Type.String({ pattern: '^\\d{6}\\.ndjson$' }),
  offset: Count,
  seq: Count,
  digest: Type.Union([Type.Null(), Digest]),
  state: Type.Union([Type.Literal('up'), Type.Literal('down')]),
  since: Instant,
  /** Why it is down. */
  why: Type.Union([Type.Null(), Type.String({ maxLength: 2000 })]),
  /** The journal's last record when this was written. */
  head: Count,
  /** Records that this sink will never have. */
  lost: Count,
});
type CursorFile = Static<typeof CursorFile>;

/** A sink and a journal, for people and for metrics. */
export interface SinkState {
  readonly sink: string;
  readonly journal: string;
  /** `down`: the last delivery failed, and is tried again. */
  readonly state: 'up' | 'down';
  readonly since: string;
  readonly why: string | null;
  /** Number of the last record that the sink has. */
  readonly taken: number;
  readonly behind: number;
  readonly lost: number;
}

export interface Cursor {
  readonly place: Place;
  readonly state: Omit<SinkState, 'sink' | 'journal'>;
}

const folderOf = (dir: string): string => join(dir, 'sinks');

/** Null: nothing was taken, or nobody knows; it begins with the first record then. */
export async function readCursor(dir: string, sink: string): Promise<Cursor | null> {
  let value: unknown;
  try {
    value = parseStrict(await readFile(join(folderOf(dir), `${sink}.json`)));
  } catch {
    return null;
  }
  if (!isValid(CursorFile, value)) return null;
  const { segment, offset, seq, digest, state, since, why, lost } = value;
  const behind = Math.max(value.head - seq, 0);
  return { place: { segment, offset, seq, digest }, state: { state, since, why, taken: seq, behind, lost } };
}

export async function takenBy(dir: string, sink: string): Promise<number> {
  return ((await readCursor(dir, sink))?.place ?? START).seq;
}

/** Whole or not there. Not synced: one that a crash takes back means that records are sent again, never that one is not. */
export async function writeCursor(dir: string, sink: string, { place, state }: Cursor): Promise<void> {
  const { state: stands, since, lost, behind } = state;
  const file: CursorFile = {
    lockkeeper: 'cursor/v1',
    ...place,
    state: stands,
    since,
    why: state.why?.slice(0, 2000).toWellFormed() ?? null,
    head: place.seq + behind,
    lost,
  };
  const path = join(folderOf(dir), `${sink}.json`);
  await mkdir(folderOf(dir), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${process.pid}.tmp`;
  await writeFile(temporary, `${JSON.stringify(file)}\n`, { mode: 0o600 });
  await rename(temporary, path);
}

/** What is known of every sink of a journal. */
export async function statesOf(dir: string, journal: string): Promise<SinkState[]> {
  const names = (await readdir(folderOf(dir)).catch(() => []))
    .filter((name) => name.endsWith('.json'))
    .sort();
  const states: SinkState[] = [];
  for (const name of names) {
    const sink = name.slice(0, -'.json'.length);
    const cursor = await readCursor(dir, sink);
    if (cursor) states.push({ sink, journal, ...cursor.state });
  }
  return states;
}
