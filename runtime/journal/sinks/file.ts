/** A file of one record a line. It may be renamed away at any time: a new one is begun. */
import { constants, open } from 'node:fs/promises';
import type { FileSink } from '../../../schemas/sinks.ts';
import { type Rendering, render } from '../formats/render.ts';
import { type Sink, Undelivered } from './port.ts';

/** Bytes of one line; a journal's own record fits. */
export const FILE_BYTES = 16 * 1024 * 1024;

const { O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_RDWR } = constants;

export function fileSink(name: string, { path }: FileSink, rendering: Rendering): Sink {
  return {
    name,
    deliver: async (records) => {
      const text = records.map((record) => `${render(record, rendering)}\n`).join('');
      await append(name, path, text);
      return { upTo: records.at(-1)?.seq ?? 0 };
    },
    close: async () => undefined,
  };
}

/** Durable when it resolves. A line that an earlier failure left without its end is ended first. */
async function append(name: string, path: string, text: string): Promise<void> {
  const file = await open(path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600).catch(
    (cause: NodeJS.ErrnoException) => {
      throw new Undelivered(name, `${cause.code} for ${path}`, { cause });
    },
  );
  try {
    const stat = await file.stat();
    if (!stat.isFile()) throw new Undelivered(name, `${path}, which is no file`);
    const last = Buffer.alloc(1);
    if (stat.size > 0) await file.read(last, 0, 1, stat.size - 1);
    await file.appendFile(stat.size > 0 && last[0] !== 10 ? `\n${text}` : text);
    await file.datasync();
  } finally {
    await file.close();
  }
}
