/** Whether a journal that nobody writes is worth opening: looked up from its files' sizes and times alone. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { RetentionConfig } from '../../schemas/sinks.ts';
import { readCursor } from './cursor.ts';
import { segmentsOf } from './read.ts';

export interface LeftoverOptions {
  readonly dir: string;
  readonly sinks: readonly string[];
  readonly retention: RetentionConfig | undefined;
  readonly now: () => Date;
}

const DAY_MS = 86_400_000;

export async function isBehind({ dir, sinks, retention, now }: LeftoverOptions): Promise<boolean> {
  const names = await segmentsOf(dir);
  const last = names.at(-1);
  if (last === undefined) return false;
  const { size } = await stat(join(dir, last));
  for (const sink of sinks) {
    const place = (await readCursor(dir, sink))?.place;
    if (size > 0 || names.length > 1) {
      const isThere = place?.segment === last && place.offset === size;
      const isBefore = size === 0 && place?.segment === names.at(-2);
      if (!isThere && !isBefore) return true;
    }
  }
  if (!retention || names.length < 2) return false;
  let bytes = 0;
  for (const name of names) bytes += (await stat(join(dir, name))).size;
  if (bytes > (retention.maxMegabytes ?? Number.POSITIVE_INFINITY) * 1024 * 1024) return true;
  const { mtimeMs } = await stat(join(dir, names[0] ?? last));
  return retention.maxDays !== undefined && mtimeMs < now().getTime() - retention.maxDays * DAY_MS;
}
