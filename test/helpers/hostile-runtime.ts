/**
 * A runtime as a process of its own, whose memory is its own, before a hostile server in bubblewrap. argv: folder, what
 * the server does. How it ended is the last line of stderr.
 */
import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openJournal } from '../../runtime/journal/journal.ts';
import { serveSession } from '../../runtime/session/serve.ts';
import { pinSurface } from '../../schemas/surface.ts';
import { driver, planFor } from './sandbox.ts';
import { capture } from './session.ts';
import { makeEntry } from './trust.ts';

const [dir = '', how = ''] = process.argv.slice(2);
const SERVER = join(import.meta.dirname, '../servers/hostile.mjs');
const surface = await capture([SERVER]);
const [app, data] = [join(dir, 'app'), join(dir, 'data')];
for (const folder of [app, data]) mkdirSync(folder);
chmodSync(data, 0o777);
copyFileSync(SERVER, join(app, 'server.mjs'));
const digest = `sha256:${'a'.repeat(64)}` as const;
const entry = { ...makeEntry(), surface: pinSurface(surface), approvedBy: ['alice', 'bob'], approvals: [] };
const journal = await openJournal(join(dir, 'journal'));
const { reason, error } = await serveSession({
  entry,
  subject: {
    server: entry.server,
    version: entry.version,
    lock: digest,
    closure: digest,
    surface: digest,
    approvedBy: [],
  },
  surface,
  lockExpires: () => Date.now() + 3_600_000,
  caller: { user: 'erin', teams: [], via: 'nobody', actors: [] },
  journal,
  client: { input: process.stdin, output: process.stdout },
  start: async () => {
    const mounts = [{ source: data, target: '/data', mode: 'rw' as const }];
    const running = await driver.start(planFor(app, ['node', '/app/server.mjs', how], { mounts }));
    writeFileSync(join(dir, 'pid'), String(running.pid));
    return running;
  },
  say: () => undefined,
});
await journal.close();
process.stderr.write(`\n${JSON.stringify({ reason, code: error?.code ?? null })}\n`);
process.exit(0);
