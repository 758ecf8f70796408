/** A runtime as a process of its own, with the scripted server in bubblewrap; argv[2] is its folder. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openJournal } from '../../runtime/journal/journal.ts';
import { serveSession } from '../../runtime/session/serve.ts';
import { pinSurface } from '../../schemas/surface.ts';
import { sandboxedScripted } from './sandbox.ts';
import { capture, SCRIPTED } from './session.ts';
import { makeEntry } from './trust.ts';

const dir = process.argv[2] ?? '';
const surface = await capture([SCRIPTED]);
const digest = `sha256:${'a'.repeat(64)}`;
await serveSession({
  entry: { ...makeEntry(), surface: pinSurface(surface), approvedBy: ['alice', 'bob'], approvals: [] },
  subject: {
    server: 'acme.tools/weather',
    version: '1.2.3',
    lock: digest,
    closure: digest,
    surface: digest,
    approvedBy: [],
  },
  surface,
  lockExpires: () => Number.POSITIVE_INFINITY,
  caller: { user: 'erin', teams: [], via: 'nobody', actors: [] },
  journal: await openJournal(join(dir, 'journal')),
  client: { input: process.stdin, output: process.stdout },
  start: async () => {
    const started = await sandboxedScripted(dir);
    writeFileSync(join(dir, 'pid'), String(started.pid));
    return started;
  },
  say: () => undefined,
});
process.exit(0);
