/**
 * A gateway as a process of its own that is to be killed. It loads, waits for one line (a `Life`), starts as a runtime
 * does, sweeping first, and tells its address.
 */
import { chmodSync, mkdirSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Journal } from '../../runtime/journal/journal.ts';
import type { SandboxedProcess } from '../../runtime/ports.ts';
import type { Surface } from '../../schemas/surface.ts';
import { startGateway } from '../helpers/gateway.ts';
import { driver, planFor } from '../helpers/sandbox.ts';

export interface Life {
  readonly home: string;
  /** Stands in the command line of everything that is started. */
  readonly mark: string;
  readonly surface: Surface;
  /** Forwards without waiting for the record: what the count has to find. */
  readonly hasty: boolean;
}

// For the lives that follow: this one does not come to its end.
flushCompileCache();
const lines = createInterface({ input: process.stdin });
const [line] = await new Promise<[string]>((resolve) => lines.once('line', (text) => resolve([text])));
const { home, mark, surface, hasty } = JSON.parse(line) as Life;

function started(alias: string): Promise<SandboxedProcess> {
  const mount = join(home, `mount-${alias}`);
  mkdirSync(mount, { recursive: true });
  chmodSync(mount, 0o777);
  return driver.start(
    planFor(join(home, '../app'), ['sh', '/app/counted.sh', '/data/calls', mark], {
      mounts: [{ source: mount, target: '/data', mode: 'rw' }],
    }),
  );
}

const waitsForNothing = (journal: Journal): Journal => ({
  ...journal,
  append: async (body) => {
    setTimeout(() => journal.note(body), 20);
    return 0;
  },
});

await driver.detect();
const { url } = await startGateway({
  dir: home,
  captured: surface,
  servers: { weather: 'good', docs: 'good' },
  start: started,
  ...(hasty ? { journal: waitsForNothing } : {}),
});
process.stdout.write(`${url}\n`);
