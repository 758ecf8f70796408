/** Kills that were counted, on the disk: one line each, so that a run that was ended goes on where it was. */
import { appendFileSync, existsSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { Closed } from '../../schemas/common.ts';
import { Type } from '../../schemas/type.ts';
import { assertValid } from '../../schemas/validate.ts';
import type { Counted } from './tally.ts';

const Count = Type.Integer({ minimum: 0 });

const Head = Closed({ seed: Count });
const Line = Closed({
  kill: Count,
  reached: Count,
  answered: Count,
  withoutRecord: Count,
  orphans: Count,
  refused: Count,
  gone: Type.Boolean(),
  goneMs: Count,
  verified: Type.Boolean(),
  faults: Type.Array(Type.String()),
});

export interface Kept {
  readonly seed: number;
  readonly done: readonly Counted[];
  add(one: Counted): void;
}

/** Opens or begins a file. What the end of a run left of a last line is cut off; any other line it does not know throws. */
export function openKept(path: string, seed: number): Kept {
  if (!existsSync(path)) writeFileSync(path, `${JSON.stringify({ seed })}\n`, { flag: 'wx' });
  const text = readFileSync(path, 'utf8');
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  if (whole.length < text.length) truncateSync(path, Buffer.byteLength(whole));
  const [head = 'null', ...lines] = whole.split('\n').filter((line) => line !== '');
  const kept = assertValid(Head, parsed(head), `the first line of ${path}`);
  const done = lines.map((line): Counted => assertValid(Line, parsed(line), `a line of ${path}`));
  if (new Set(done.map(({ kill }) => kill)).size < done.length)
    throw new Error(`${path}: expected each kill once; found one twice. Begin a new file.`);
  return { seed: kept.seed, done, add: (one) => appendFileSync(path, `${JSON.stringify(one)}\n`) };
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return line;
  }
}
