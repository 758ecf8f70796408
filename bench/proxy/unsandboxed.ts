/**
 * `lk run here` with everything but the sandbox: argv[2] is the home, argv[3] the project. There is no such driver in the
 * product; it serves to tell what isolation costs a call.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openTelemetry } from '../../cli/telemetry.ts';
import { NOBODY_TO_ASK } from '../../runtime/gate/people.ts';
import { openJournal } from '../../runtime/journal/journal.ts';
import type { IsolationDriver } from '../../runtime/ports.ts';
import { runLocked } from '../../runtime/run.ts';
import { openBlobs } from '../../runtime/store/blobs.ts';
import { runsUntil } from '../../runtime/trust/freshness.ts';
import { verifyLock } from '../../runtime/trust/lock.ts';
import { Intent } from '../../schemas/intent.ts';
import { parseStrict } from '../../schemas/json.ts';
import { assertValid } from '../../schemas/validate.ts';
import { plainProcess } from '../../test/helpers/session.ts';

const [home = '', project = ''] = process.argv.slice(2);
const driver: IsolationDriver = {
  name: 'bubblewrap',
  detect: async () => ({ available: true, version: 'nothing is isolated' }),
  start: ({ appDir, command: [, ...words] }) =>
    plainProcess(words.map((word) => word.replace(/^\/app\//, `${appDir}/`))),
};
const read = (name: string): Buffer => readFileSync(join(project, name));
const { trust: pin } = assertValid(Intent, parseStrict(read('lockkeeper.json')), 'lockkeeper.json');
const now = new Date();
const context = { pin, audience: 'acme/app', environment: 'development', now, seen: null };
const { lock, entries, digest, trusted } = verifyLock(read('mcp.lock'), context);
const verified = entries.get('here');
if (!verified) throw new Error('the lock has no such server');
const telemetry = openTelemetry({
  journal: await openJournal(join(home, 'journal/unsandboxed')),
  collector: null,
  say: () => undefined,
});
const expires = runsUntil(lock, trusted);
await runLocked({
  verified,
  lockDigest: digest,
  blobs: await openBlobs(join(home, 'store/blobs')),
  treesDir: join(home, 'store/trees'),
  fetch: (wanted) => Promise.reject(new Error(`${wanted} is not cached`)),
  progress: () => undefined,
  driver,
  projectDir: project,
  homes: [home],
  environment: {},
  trusted,
  revocations: null,
  onRevoke: 'end',
  lockExpires: () => expires,
  caller: { user: 'local:bench', teams: [], via: 'nobody', actors: [] },
  lock,
  alias: 'here',
  approvals: NOBODY_TO_ASK,
  journal: telemetry.journal,
  client: { input: process.stdin, output: process.stdout },
  say: () => undefined,
  telemetry: telemetry.sessions,
});
process.exit(0);
