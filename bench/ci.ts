/** The gate on 50 servers, cold: a new process that reads, verifies and concludes. The registry's answer is not timed. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { signLockFile } from '../runtime/trust/lock.ts';
import { envelopeDigest } from '../schemas/approval.ts';
import { renderLockFile } from '../schemas/lock.ts';
import { openDir } from '../test/helpers/sandbox.ts';
import { makeApproval, makeEntry, makeRoot, people, pin } from '../test/helpers/trust.ts';
import type { BenchResult } from './main.ts';
import { quantile } from './measure.ts';

const MAIN = join(import.meta.dirname, '../cli/main.ts');
const RUNS = 15;

export async function ci(): Promise<BenchResult> {
  const rows: string[][] = [];
  const data: Record<string, { p50: number; p99: number; bytes: number }> = {};
  for (const servers of [1, 50]) {
    const dir = openDir();
    const { text, intent } = lockOf(servers);
    writeFileSync(join(dir, 'mcp.lock'), text);
    writeFileSync(join(dir, 'lockkeeper.json'), JSON.stringify(intent));
    const times: number[] = [];
    for (let i = 0; i < RUNS; i++) {
      const at = performance.now();
      execFileSync(process.execPath, [MAIN, 'verify'], {
        cwd: dir,
        env: { LOCKKEEPER_HOME: dir, PATH: process.env.PATH ?? '' },
        stdio: 'ignore',
      });
      times.push(performance.now() - at);
    }
    data[`${servers}`] = { p50: quantile(times, 0.5), p99: quantile(times, 0.99), bytes: text.length };
    rows.push([
      `${servers} servers`,
      quantile(times, 0.5).toFixed(0),
      quantile(times, 0.99).toFixed(0),
      `${(text.length / 1024).toFixed(0)} KiB`,
    ]);
  }
  return {
    head: ['lock', 'p50 ms', 'p99 ms', 'size'],
    rows,
    notes: [
      `${RUNS} cold runs each of lk verify, which is lk ci without its one question to the registry; most of it is Node starting.`,
    ],
    data,
  };
}

function lockOf(servers: number): { text: string; intent: object } {
  const now = Date.now();
  const at = (hours: number): string => new Date(now + hours * 3_600_000).toISOString();
  const root = makeRoot((document) => {
    Object.assign(document, { issuedAt: at(-1), expires: at(1000) });
    for (const key of document.keys) Object.assign(key, { notBefore: at(-1), notAfter: at(1000) });
  });
  const entries: Record<string, unknown> = {};
  const approvals: Record<string, ReturnType<typeof makeApproval>> = {};
  for (let i = 0; i < servers; i++) {
    const entry = {
      ...makeEntry(),
      server: `acme.tools/server-${i}`,
      request: { server: `acme.tools/server-${i}`, range: '*' },
    };
    const given = [people.alice, people.bob].map((key) =>
      makeApproval(
        key,
        entry,
        (a) => void Object.assign(a.predicate, { notBefore: at(-1), expires: at(100) }),
      ),
    );
    for (const envelope of given) approvals[envelopeDigest(envelope)] = envelope;
    entries[`server-${i}`] = { ...entry, approvals: given.map(envelopeDigest) };
  }
  const lock = {
    lockkeeper: 'mcp.lock/v1' as const,
    audience: 'bench',
    environment: 'development',
    registry: 'http://127.0.0.1:1',
    version: 1,
    issuedAt: at(-1),
    expires: at(71),
    previous: null,
    rootVersion: 3,
    revoked: [],
    servers: entries as never,
  };
  const file = signLockFile(lock, { root, approvals }, people.lock.key);
  const requests = Object.fromEntries(
    Object.keys(entries).map((alias) => [alias, { server: `acme.tools/${alias}`, range: '*' }]),
  );
  return {
    text: renderLockFile(file),
    intent: {
      lockkeeper: 'intent/v1',
      project: 'bench',
      environment: 'development',
      registry: 'http://127.0.0.1:1',
      trust: pin,
      servers: requests,
    },
  };
}
