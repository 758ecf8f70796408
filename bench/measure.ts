/** Calls over a pipe, timed: sequentially and with many in flight. */
import type { Readable, Writable } from 'node:stream';
import { readLines } from '../runtime/wire/lines.ts';

export interface Line {
  readonly stdin: Writable;
  readonly stdout: Readable;
}

export interface Caller {
  /** Milliseconds of each of `count` calls, `width` in flight. */
  run(count: number, width: number): Promise<{ times: number[]; elapsed: number }>;
}

/** Handshakes and returns something that calls `echo`. */
export async function caller({ stdin, stdout }: Line): Promise<Caller> {
  const waiting = new Map<number, () => void>();
  readLines(stdout, 1e8, {
    line: (bytes) => {
      const { id } = JSON.parse(bytes.toString()) as { id?: number };
      if (id !== undefined) waiting.get(id)?.();
    },
    end: () => undefined,
    error: () => undefined,
  });
  let next = 0;
  const ask = (method: string, params: object): Promise<void> => {
    const id = ++next;
    return new Promise((resolve) => {
      waiting.set(id, () => {
        waiting.delete(id);
        resolve();
      });
      stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`);
    });
  };
  await ask('initialize', {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: { name: 'bench', version: '1' },
  });
  stdin.write('{"jsonrpc":"2.0","method":"notifications/initialized"}\n');
  const call = (): Promise<void> =>
    ask('tools/call', { name: 'echo', arguments: { message: 'x'.repeat(200) } });
  return {
    run: async (count, width) => {
      const times: number[] = [];
      let left = count;
      const worker = async (): Promise<void> => {
        while (left-- > 0) {
          const at = performance.now();
          await call();
          times.push(performance.now() - at);
        }
      };
      const start = performance.now();
      await Promise.all(Array.from({ length: width }, worker));
      return { times, elapsed: performance.now() - start };
    },
  };
}

export function quantile(times: readonly number[], q: number): number {
  const sorted = [...times].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? 0;
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}
