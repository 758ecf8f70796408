/**
 * tools/call echo from client to server: direct, behind the floor of anything that keeps a durable record, through the
 * real commands with everything on, and through other gateways; over pipes and HTTP, in both protocol eras.
 */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BenchOptions, BenchResult } from '../main.ts';
import { addHttp, addStdio, type Case, Cases, startFloor, startGateway } from './cases.ts';
import { type Memory, memory } from './memory.ts';
import { addPeers } from './peers.ts';
import { residentOf } from './process.ts';
import { measure, ROUNDS, type Rounds, WIDTHS } from './rounds.ts';
import { type Target, targetsOf } from './targets.ts';
import { makeWorld, type World } from './world.ts';

const SESSIONS = [1000, 10_000];
const ERAS = ['session', 'stateless'] as const;

const say = (line: string): void => void process.stderr.write(`${line}\n`);

export async function proxy({ peers, only }: BenchOptions): Promise<BenchResult> {
  const dir = mkdtempSync(join(tmpdir(), 'lk-bench-'));
  chmodSync(dir, 0o755);
  const wants = (what: string): boolean => only.length === 0 || only.some((word) => what.includes(word));
  const world = await makeWorld(dir);
  const cases = new Cases(world);
  try {
    if (wants('stdio')) for (const era of ERAS) await addStdio(cases, world, era);
    if (wants('http')) await addBehindHttp(cases, world);
    if (peers) await addPeers(cases, say);
    const rounds = await measure(cases.list, dir, say);
    const resident = new Map(
      cases.list.map(({ name, pid }) => [name, pid === null ? null : residentOf(pid)]),
    );
    await cases.close();
    const held = wants('memory') ? await memory(world, SESSIONS, say) : null;
    return resultOf(cases.list, { rounds, resident, held });
  } finally {
    await cases.close();
    for (const child of world.processes) child.kill('SIGKILL');
    rmSync(dir, { recursive: true, force: true });
  }
}

async function addBehindHttp(cases: Cases, world: World): Promise<void> {
  const gateway = await startGateway(cases);
  const floor = await startFloor(cases, world);
  for (const era of ERAS) await addHttp(cases, { world, gateway, floor }, era);
}

interface Found {
  readonly rounds: Rounds;
  /** KiB, after all rounds. */
  readonly resident: ReadonlyMap<string, number | null>;
  readonly held: Memory | null;
}

function resultOf(cases: readonly Case[], { rounds, resident, held }: Found): BenchResult {
  const targets = targetsOf(cases, rounds, held);
  const rows = cases.flatMap(({ name, topology }) =>
    WIDTHS.map((width) => {
      const at = rounds.figures.get(name)?.get(width);
      const base = baseOf(topology, name);
      const direct = rounds.figures.get(base)?.get(width);
      const kib = resident.get(name);
      return [
        `${name}, c${width}`,
        ...[at?.p50, at?.p95, at?.p99].map((ms) => (ms ?? 0).toFixed(3)),
        (at?.perSecond ?? 0).toFixed(0),
        at && direct ? `${(at.p50 / direct.p50).toFixed(2)}x` : '-',
        at?.cpu == null ? '-' : at.cpu.toFixed(0),
        kib == null ? '-' : (kib / 1024).toFixed(0),
      ];
    }),
  );
  return {
    head: ['case', 'p50 ms', 'p95 ms', 'p99 ms', 'calls/s', 'p50 ratio', 'CPU us/call', 'RSS MiB'],
    rows,
    notes: [...notesOf(rounds, held), '', ...targets.map(shown)],
    data: {
      node: process.version,
      syncMs: rounds.syncMs,
      figures: Object.fromEntries(
        [...rounds.figures].map(([name, widths]) => [name, Object.fromEntries(widths)]),
      ),
      residentKiB: Object.fromEntries(resident),
      memory: held,
      targets,
      holds: targets.every(({ holds }) => holds),
    },
  };
}

/** What a case is held against: the same era without anything in between. */
function baseOf(topology: Case['topology'], name: string): string {
  const era = name.endsWith(' 2026-07-28') ? ' 2026-07-28' : '';
  return `${topology === 'stdio to stdio' ? 'direct' : 'direct HTTP'}${era}`;
}

function notesOf({ syncMs }: Rounds, held: Memory | null): string[] {
  const sessions = Object.entries(held?.perSession ?? {}).map(
    ([count, kib]) => `${kib.toFixed(1)} KiB for each of ${count}`,
  );
  return [
    `${ROUNDS} interleaved rounds, Node ${process.version}; one append and fdatasync of a record: ${syncMs.toFixed(3)} ms (p50, in the same rounds).`,
    'Everything on: a policy whose every call has its arguments looked at, content controls, a durable record before each call, metrics, bubblewrap. CPU is that of the process in between, all its threads; the server and the client pay for themselves.',
    'Servers and clients are hand-written and answer at once: a server on an SDK is slower, and shares and ratios with it are better than these.',
    ...(held
      ? [
          `A gateway that nobody calls: ${held.idleMiB.toFixed(0)} MiB resident; idle sessions: ${sessions.join(', ')}.`,
        ]
      : []),
  ];
}

function shown({ what, wanted, found, holds }: Target): string {
  return `${holds ? 'holds ' : 'MISSED'}  ${what}: ${wanted}; found ${found}`;
}
