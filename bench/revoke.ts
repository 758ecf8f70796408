/** A revocation with 200 runtimes connected: from the request being sent to each server's process being gone. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openApi } from '../cli/api.ts';
import type { Company } from '../cli/drill/company.ts';
import { openHome } from '../cli/home.ts';
import { readLines } from '../runtime/wire/lines.ts';
import { STATEMENT_TYPE } from '../schemas/approval.ts';
import { seal } from '../schemas/dsse.ts';
import { canonical } from '../schemas/json.ts';
import { Release } from '../schemas/release.ts';
import { revocationOf } from '../schemas/revocation.ts';
import { foundEcho, joins } from '../test/helpers/echo-company.ts';
import type { BenchResult } from './main.ts';
import { quantile } from './measure.ts';

const HOSTS = 4;
const EACH = 50;
const RUNTIMES = HOSTS * EACH;
const REASON = 'bench: found a hole';
/** Past this a runtime counts as not reached. */
const LATE_MS = 60_000;

export async function revoke(): Promise<BenchResult> {
  const dir = mkdtempSync(join(tmpdir(), 'lk-bench-'));
  const { company, close } = await foundEcho(dir);
  const hosts: Host[] = [];
  try {
    await company.must('erin', 'lock');
    for (let host = 0; host < HOSTS; host++) {
      hosts.push(startHost(dir, host * EACH, await tokenOf(company, `machine-${host}`)));
    }
    await Promise.all(hosts.map(({ ready }) => ready));
    const { sent, answered } = await send(company);
    const end = Date.now() + LATE_MS;
    const gone = (): number[] => hosts.flatMap((host) => host.gone);
    while (gone().length < RUNTIMES && Date.now() < end)
      await new Promise((resolve) => setTimeout(resolve, 20));
    return resultOf(
      gone().map((at) => at - sent),
      answered - sent,
    );
  } finally {
    for (const { child } of hosts) child.kill('SIGKILL');
    await close();
    rmSync(dir, { recursive: true, force: true });
  }
}

function resultOf(times: readonly number[], answer: number): BenchResult {
  const [p50, p99, max] = [quantile(times, 0.5), quantile(times, 0.99), Math.max(...times)];
  const name = `${times.length} of ${RUNTIMES} servers gone`;
  const note = `${RUNTIMES} runtimes in ${HOSTS} processes on loopback, each process signed in as a person of its own, each runtime with its own session, journal and stream; each server is three processes of its own (bubblewrap outside and inside, Node), so ${RUNTIMES * 3} in all on one machine.`;
  return {
    head: ['case', 'p50 ms', 'p99 ms', 'max ms', 'answer ms'],
    rows: [[name, ...[p50, p99, max, answer].map((value) => value.toFixed(0))]],
    notes: [
      `${note} Node ${process.version}.`,
      'From the signed request being sent to the exit of the sandbox, with the record on the disk before it. "answer" is when the registry answered the revoker.',
    ],
    data: { runtimes: RUNTIMES, gone: times.length, p50, p99, max, answer },
  };
}

/** Each machine is a person of its own, as the registry tells whoever has more streams than one person may. */
async function tokenOf(company: Company, machine: string): Promise<string> {
  await joins(company, machine, 'developer');
  const { token } = await company.must(machine, 'token', '--roles', 'developer');
  return String(token);
}

/** As `lk revoke` does, without the start of a process in what is measured. */
async function send({ dir, url }: Company): Promise<{ sent: number; answered: number }> {
  const home = openHome(join(dir, 'machines/alice'));
  const [signIn] = await home.signIns();
  const api = openApi(url, signIn?.token ?? null);
  const release = await api.call('release', Release, { parameters: { id: 1 } });
  const { key } = await home.readKey('alice');
  const statement = revocationOf({
    server: release.name,
    version: release.version,
    closureDigest: release.closure?.digest ?? '',
    reason: REASON,
    revokedBy: 'alice',
    at: new Date().toISOString(),
  });
  const envelope = seal(STATEMENT_TYPE, Buffer.from(canonical(statement)), [key]);
  const sent = Date.now();
  await api.call('revoke', Release, { parameters: { id: release.id }, body: { reason: REASON, envelope } });
  return { sent, answered: Date.now() };
}

interface Host {
  readonly child: ChildProcessWithoutNullStreams;
  readonly ready: Promise<void>;
  /** When each server was gone, milliseconds since the epoch. */
  readonly gone: readonly number[];
}

function startHost(dir: string, first: number, token: string): Host {
  const main = join(import.meta.dirname, 'runtimes.ts');
  const words = ['--disable-warning=ExperimentalWarning', main, dir, String(EACH), String(first), token];
  const child = spawn(process.execPath, words);
  child.stderr.pipe(process.stderr);
  const gone: number[] = [];
  const ready = new Promise<void>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the runtimes ended with ${code}`)));
    readLines(child.stdout, 1e6, {
      line: (bytes) => {
        const said = JSON.parse(bytes.toString()) as { ready?: number; gone?: number };
        if (said.ready !== undefined) resolve();
        if (said.gone !== undefined) gone.push(said.gone);
      },
      end: () => undefined,
      error: reject,
    });
  });
  return { child, ready, gone };
}
