/** Telling the registry: at least once, in order, never in the way of a call. */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { AuditRecord } from '../../schemas/audit.ts';
import { readOne } from './read.ts';

export interface ShipOptions {
  readonly dir: string;
  /** Sends one batch; answers with the last sequence number the registry now has. */
  readonly send: (records: AuditRecord[]) => Promise<number>;
  readonly onError: (error: unknown) => void;
}

export interface Shipper {
  /** Sends what is left once more and stops. Resolves true when everything is there. */
  close(): Promise<boolean>;
}

const BATCH = 500;
/** Below what the registry takes in one request, with room for one more record. */
const BATCH_BYTES = 4 * 1024 * 1024;
const PAUSE_MS = 1000;
const LONGEST_MS = 60_000;

/** Ships in the background until closed; failures are retried with growing, jittered pauses. */
export function startShipping(options: ShipOptions): Shipper {
  let closed = false;
  let pause = PAUSE_MS;
  let timer: NodeJS.Timeout | undefined;
  let round: Promise<boolean> = Promise.resolve(true);
  const run = async (): Promise<boolean> => {
    try {
      await shipAll(options);
      pause = PAUSE_MS;
      return true;
    } catch (error) {
      options.onError(error);
      pause = Math.min(pause * 2, LONGEST_MS);
      return false;
    }
  };
  const schedule = (): void => {
    if (closed) return;
    timer = setTimeout(
      () => {
        round = run();
        void round.finally(schedule);
      },
      pause * (0.75 + Math.random() / 2),
    );
    timer.unref();
  };
  schedule();
  return {
    close: async () => {
      closed = true;
      clearTimeout(timer);
      await round;
      return run();
    },
  };
}

/** Sends what is not there yet, once. Throws what `send` throws, or JOURNAL_CHAIN. */
export async function shipAll({ dir, send }: Pick<ShipOptions, 'dir' | 'send'>): Promise<void> {
  const path = join(dir, 'shipped');
  let upTo = Number(await readFile(path, 'utf8').catch(() => '0')) || 0;
  let batch: AuditRecord[] = [];
  let bytes = 0;
  const flush = async (): Promise<void> => {
    if (batch.length === 0) return;
    // An answer is believed for what was sent, and for no more.
    upTo = Math.max(upTo, Math.min(await send(batch), batch.at(-1)?.seq ?? 0));
    batch = [];
    bytes = 0;
    await writeFile(`${path}.tmp`, String(upTo));
    await rename(`${path}.tmp`, path);
  };
  for await (const record of readOne(dir, upTo)) {
    batch.push(record);
    bytes += JSON.stringify(record).length;
    if (batch.length >= BATCH || bytes >= BATCH_BYTES) await flush();
  }
  await flush();
}
