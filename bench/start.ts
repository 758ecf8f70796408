/**
 * Cold start of a cached closure: from the bytes of a lock to the answer of a first tools/list, by each driver that is
 * here and beside the bare process; paired rounds, each in the same order. The phases are the runtime's own steps.
 */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, type Readable, type Writable } from 'node:stream';
import { startInstance } from '../runtime/instance.ts';
import { allDrivers } from '../runtime/isolation/select.ts';
import { openJournal } from '../runtime/journal/journal.ts';
import type { IsolationDriver } from '../runtime/ports.ts';
import { prepare } from '../runtime/prepare.ts';
import { serveSession } from '../runtime/session/serve.ts';
import { type Blobs, openBlobs } from '../runtime/store/blobs.ts';
import { verifyLock } from '../runtime/trust/lock.ts';
import { readLines } from '../runtime/wire/lines.ts';
import { plainProcess, SCRIPTED } from '../test/helpers/session.ts';
import { pin } from '../test/helpers/trust.ts';
import { FILES, lockIn, PACKAGES } from './closure.ts';
import type { BenchResult } from './main.ts';
import { quantile } from './measure.ts';

const ROUNDS = 25;
const HOUR_MS = 3_600_000;
const PHASES = ['verify', 'lay out', 'sandbox', 'handshake'] as const;
type Phases = Partial<Record<(typeof PHASES)[number], number>> & { readonly all: number };

export async function start(): Promise<BenchResult> {
  const dir = mkdtempSync(join(tmpdir(), 'lk-bench-'));
  chmodSync(dir, 0o755);
  try {
    const drivers: IsolationDriver[] = [];
    for (const driver of allDrivers(process.execPath)) {
      const is = drivers.some(({ name }) => name === driver.name);
      if (!is && (await driver.detect()).available) drivers.push(driver);
    }
    const blobs = await openBlobs(join(dir, 'blobs'));
    const bytes = await lockIn(blobs);
    const measured = new Map<string, Phases[]>();
    for (let round = 0; round <= ROUNDS; round++) {
      process.stderr.write(`round ${round} of ${ROUNDS}\n`);
      const ways: readonly (readonly [string, () => Promise<Phases>])[] = [
        ['bare', bare],
        ...drivers.map((driver) => [driver.name, () => locked(driver, { dir, bytes, blobs })] as const),
      ];
      for (const [name, way] of ways) {
        const phases = await way();
        // The first one makes what is cached.
        if (round > 0) measured.set(name, [...(measured.get(name) ?? []), phases]);
      }
    }
    return resultOf(measured);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Asks as a client does; resolves when the tools are listed. */
async function firstList({ input, output }: { input: Writable; output: Readable }): Promise<void> {
  const answered = new Map<number, () => void>();
  readLines(output, 1e8, {
    line: (bytes) => answered.get((JSON.parse(bytes.toString()) as { id: number }).id)?.(),
    end: () => undefined,
    error: () => undefined,
  });
  const ask = (id: number, method: string, params: object): Promise<void> =>
    new Promise((resolve) => {
      answered.set(id, resolve);
      input.write(`${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`);
    });
  const clientInfo = { name: 'bench', version: '1' };
  await ask(1, 'initialize', { protocolVersion: '2025-11-25', capabilities: {}, clientInfo });
  input.write('{"jsonrpc":"2.0","method":"notifications/initialized"}\n');
  await ask(2, 'tools/list', {});
}

async function bare(): Promise<Phases> {
  const from = performance.now();
  const child = await plainProcess([SCRIPTED]);
  await firstList({ input: child.stdin, output: child.stdout });
  const all = performance.now() - from;
  await child.stop(1000);
  return { all };
}

async function locked(
  driver: IsolationDriver,
  { dir, bytes, blobs }: { dir: string; bytes: Buffer; blobs: Blobs },
): Promise<Phases> {
  const journal = await openJournal(join(dir, `journal-${driver.name}`));
  const client = { input: new PassThrough(), output: new PassThrough() };
  const from = performance.now();
  const context = { pin, audience: 'acme/app', environment: 'development', now: new Date(), seen: null };
  const lock = verifyLock(bytes, context);
  const [verified] = lock.entries.values();
  if (!verified) throw new Error('the lock is empty');
  const verifiedAt = performance.now();
  const fetch = (digest: string): Promise<Buffer> => Promise.reject(new Error(`${digest} is not cached`));
  const prepared = await prepare({
    verified,
    lockDigest: lock.digest,
    blobs,
    treesDir: join(dir, 'trees'),
    fetch,
    progress: () => undefined,
  });
  const laidOutAt = performance.now();
  let startedAt = 0;
  const session = serveSession({
    ...prepared,
    lockExpires: () => Date.now() + HOUR_MS,
    caller: { user: 'erin', teams: [], via: 'nobody', actors: [] },
    journal,
    client,
    start: async (record) => {
      const around = { driver, projectDir: dir, homes: [], environment: {} };
      const running = await startInstance(prepared, around, record);
      startedAt = performance.now();
      return running;
    },
    say: () => undefined,
  });
  await firstList(client);
  const end = performance.now();
  client.input.end();
  await session;
  await journal.close();
  return {
    all: end - from,
    verify: verifiedAt - from,
    'lay out': laidOutAt - verifiedAt,
    sandbox: startedAt - laidOutAt,
    handshake: end - startedAt,
  };
}

function resultOf(measured: ReadonlyMap<string, readonly Phases[]>): BenchResult {
  const rows: string[][] = [];
  const data: Record<string, unknown> = {};
  const baseline = measured.get('bare') ?? [];
  for (const [name, rounds] of measured) {
    const all = rounds.map((one) => one.all);
    const added = rounds.map((one, round) => one.all - (baseline[round]?.all ?? 0));
    const phases = PHASES.map((phase) =>
      quantile(
        rounds.map((one) => one[phase] ?? 0),
        0.5,
      ),
    );
    data[name] = {
      p50: quantile(all, 0.5),
      p99: quantile(all, 0.99),
      added: quantile(added, 0.5),
      phases: Object.fromEntries(PHASES.map((phase, index) => [phase, phases[index]])),
    };
    const shown = name === 'bare' ? PHASES.map(() => '-') : phases.map((ms) => ms.toFixed(0));
    rows.push([
      name,
      ...[quantile(all, 0.5), quantile(all, 0.99), quantile(added, 0.5)].map((ms) => ms.toFixed(0)),
      ...shown,
    ]);
  }
  return {
    head: ['way', 'p50 ms', 'p99 ms', 'added p50', ...PHASES],
    rows,
    notes: [
      `${ROUNDS} paired rounds after one that fills the caches; a closure of ${PACKAGES + 1} packages and ${PACKAGES * FILES + 2} files, Node ${process.version}. Phases are medians, in ms.`,
      'verify: the lock, its approvals and proofs. lay out: every artifact and every file of the tree is hashed again. sandbox: made, and what was made compared with what was locked. handshake: the server’s own start, its surface compared with the lock, the record of the session on the disk, and the first list.',
      dominant(measured),
    ],
    data,
  };
}

/** Of what is ours to spend: the handshake has the server's own start in it. */
function dominant(measured: ReadonlyMap<string, readonly Phases[]>): string {
  const bareMs = quantile(
    (measured.get('bare') ?? []).map((one) => one.all),
    0.5,
  );
  const told = [...measured]
    .filter(([name]) => name !== 'bare')
    .map(([name, rounds]) => {
      const parts = PHASES.map((phase) => {
        const ms = quantile(
          rounds.map((one) => one[phase] ?? 0),
          0.5,
        );
        return [
          phase === 'handshake' ? 'handshake beyond the bare start' : phase,
          phase === 'handshake' ? ms - bareMs : ms,
        ] as const;
      });
      const [first] = [...parts].sort(([, a], [, b]) => b - a);
      return `${name}: ${first?.[0]} (${first?.[1].toFixed(0)} ms)`;
    });
  return `What dominates of what is added: ${told.join('; ')}. None of the phases can be left out: the first two hash every byte that is about to run, the others end with a comparison against the lock.`;
}
