/** The files of what somebody has read, and whose they are. */
import { statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Closed, Instant } from '../../schemas/common.ts';
import { parseStrict } from '../../schemas/json.ts';
import { type Static, Type } from '../../schemas/type.ts';
import { assertValid } from '../../schemas/validate.ts';
import { alone } from '../store/alone.ts';
import { namesIn, textIfThere } from '../store/there.ts';

const MAX_TEXT = 1000;
const Text = Type.String({ maxLength: MAX_TEXT });
const Mark = Closed({ at: Instant, call: Text, what: Text });
const Remembered = Closed({
  lockkeeper: Type.Literal('read/v1'),
  user: Text,
  untrusted: Type.Optional(Mark),
  private: Type.Optional(Mark),
});
type Remembered = Static<typeof Remembered>;
export type Mark = Static<typeof Mark>;
export type Marks = Partial<Record<'untrusted' | 'private', Mark>>;
export const KINDS = ['untrusted', 'private'] as const;

/** Throws for what is no such file. */
export function parseRemembered(text: string): Remembered {
  return assertValid(Remembered, parseStrict(text), 'what was read');
}

export function writtenAs(user: string, marks: Marks): string {
  return `${JSON.stringify({ lockkeeper: 'read/v1', user, ...marks }, null, 2)}\n`;
}

export function cut(text: string): string {
  return text.slice(0, MAX_TEXT);
}

/** Of each kind the newest. */
export function merged(one: Marks, other: Marks): Marks {
  const newest = (kind: keyof Marks): Mark | undefined => {
    const [a, b] = [one[kind], other[kind]];
    return a && b ? (a.at >= b.at ? a : b) : (a ?? b);
  };
  const pairs = KINDS.map((kind) => [kind, newest(kind)] as const);
  return Object.fromEntries(pairs.filter(([, mark]) => mark !== undefined));
}

/** Takes away what is remembered of this user in this folder, by all of their credentials. The number of memories that there were. */
export async function clearRead(dir: string, user: string): Promise<number> {
  let cleared = 0;
  for (const path of await filesIn(dir)) {
    const text = await textIfThere(path);
    if (text === null || userIn(text) !== user.toLowerCase()) continue;
    await alone(path, () => rm(path, { force: true }));
    cleared++;
  }
  return cleared;
}

function userIn(text: string): string | null {
  try {
    return parseRemembered(text).user;
  } catch {
    return null;
  }
}

export async function filesIn(dir: string): Promise<string[]> {
  return (await namesIn(dir))
    .filter((name) => /^[0-9a-f]{32}\.json$/.test(name))
    .map((name) => join(dir, name));
}

/** Empty where there is no file. */
export function versionOf(path: string): string {
  const info = statSync(path, { bigint: true, throwIfNoEntry: false });
  return info ? `${info.ino} ${info.size} ${info.mtimeNs}` : '';
}
