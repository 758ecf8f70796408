/**
 * A gateway as a process of its own, whose memory is its own; argv[2] is a `GatewaySetup` as JSON. It tells its address,
 * and for each line that it is sent how it stands.
 */
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { type GatewaySetup, startGateway } from './gateway.ts';

export interface Standing {
  readonly rss: number;
  readonly heap: number;
  readonly sessions: number;
  readonly processes: number;
  readonly refusals: Readonly<Record<string, number>>;
  /** What Node warned of. */
  readonly warnings: readonly string[];
}

const warnings: string[] = [];
process.on('warning', ({ message }) => void warnings.push(message));
const gateway = await startGateway(JSON.parse(process.argv[2] ?? '{}') as GatewaySetup);
process.stdout.write(`${gateway.url}\n`);
for await (const _ of createInterface({ input: process.stdin })) {
  for (let n = 0; n < 3; n++) {
    globalThis.gc?.();
    await sleep(50);
  }
  const { rss, heapUsed, external } = process.memoryUsage();
  const refusals = Object.groupBy(gateway.refusals, (code) => code);
  const standing: Standing = {
    rss,
    heap: heapUsed + external,
    sessions: gateway.sessions,
    processes: gateway.processes.length,
    refusals: Object.fromEntries(Object.entries(refusals).map(([code, all]) => [code, all?.length ?? 0])),
    warnings,
  };
  process.stdout.write(`${JSON.stringify(standing)}\n`);
}
await gateway.close();
process.exit(0);
