/**
 * Many runtimes in one process, each with a session, a journal, a stream of revocations and a sandboxed server of its own.
 * argv: company folder, count, first number, token. Says `ready` when all are greeted, then when each server was gone.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { openApi } from '../cli/api.ts';
import { lockContext } from '../cli/project.ts';
import { revocationsOf } from '../cli/revocations.ts';
import { NOBODY_TO_ASK } from '../runtime/gate/people.ts';
import { selectDriver } from '../runtime/isolation/select.ts';
import { openJournal } from '../runtime/journal/journal.ts';
import type { IsolationDriver } from '../runtime/ports.ts';
import { runLocked } from '../runtime/run.ts';
import { openBlobs } from '../runtime/store/blobs.ts';
import { verifyLock } from '../runtime/trust/lock.ts';
import { readLines } from '../runtime/wire/lines.ts';
import { Intent } from '../schemas/intent.ts';
import { parseStrict } from '../schemas/json.ts';
import { assertValid } from '../schemas/validate.ts';

const [dir = '', count = '1', first = '0', token = ''] = process.argv.slice(2);
const project = join(dir, 'project');
const intent = assertValid(Intent, parseStrict(readFileSync(join(project, 'lockkeeper.json'))), 'the intent');
const verified = verifyLock(readFileSync(join(project, 'mcp.lock')), lockContext(intent, null, new Date()));
const [[alias, entry] = ['', undefined]] = verified.entries;
const api = openApi(intent.registry, token);
const { driver } = await selectDriver({ nodePath: process.execPath });
const store = join(dir, 'machines/erin/store');
const blobs = await openBlobs(join(store, 'blobs'));
const say = (what: object): void => void process.stdout.write(`${JSON.stringify(what)}\n`);

/** The driver, with a word when the server and its cgroup are gone. */
const told: IsolationDriver = {
  ...driver,
  start: async (plan) => {
    const started = await driver.start(plan);
    void started.exited.then(() => say({ gone: Date.now(), pid: started.pid }));
    return started;
  },
};

async function start(number: number): Promise<void> {
  if (!entry) throw new Error('the lock is empty');
  const client = { input: new PassThrough(), output: new PassThrough() };
  const greeted = new Promise<void>((resolve, reject) => {
    readLines(client.output, 1e7, { line: () => resolve(), end: () => undefined, error: reject });
  });
  const heard = revocationsOf(api, { say: () => undefined });
  void runLocked({
    verified: entry,
    trusted: verified.trusted,
    revocations: heard,
    onRevoke: 'end',
    lock: verified.lock,
    alias,
    approvals: NOBODY_TO_ASK,
    lockDigest: verified.digest,
    lockExpires: () => Date.parse(verified.lock.expires),
    projectDir: project,
    homes: [],
    environment: {},
    caller: { user: 'erin', teams: [], via: 'nobody', actors: [] },
    blobs,
    treesDir: join(store, 'trees'),
    fetch: (digest) => api.blob(digest),
    driver: told,
    journal: await openJournal(join(dir, 'bench-journals', String(number))),
    client,
    say: (line) => void process.stderr.write(`${line}\n`),
    progress: () => undefined,
  }).catch((error: Error) => process.stderr.write(`${error.message}\n`));
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'b', version: '1' } };
  client.input.write(`${JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params })}\n`);
  await greeted;
}

// One after the other: starting is not what is measured.
for (let number = Number(first); number < Number(first) + Number(count); number++) await start(number);
say({ ready: Number(count) });
