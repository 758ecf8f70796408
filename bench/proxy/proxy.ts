/**
 * tools/call echo from client to server: direct, behind the floor of anything that keeps a durable record, through the
 * real commands with everything on, and through other gateways; over pipes and HTTP, in both protocol eras.
 */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BenchOptions, BenchResult } from '../main.ts';
import { type Absent, addHttp, addStdio, type Case, Cases } from './cases.ts';
import { type Memory, memory } from './memory.ts';
import { addPeers } from './peers.ts';
import { residentOf, treeOf } from './process.ts';
import { type Profile, profiles } from './profile.ts';
import { measure, type Plan, QUICK, type Rounds, WHOLE, WIDTHS } from './rounds.ts';
import { dominance, splitsOf } from './split.ts';
import { shown, targetsOf } from './targets.ts';
import { makeWorld } from './world.ts';

const SESSIONS = [1000, 10_000];
const TMPFS = 0x01021994;
const PROFILED = ['lk run', 'lk gateway to HTTP'];

const say = (line: string): void => void process.stderr.write(`${line}\n`);

/** `plan` in place of the one that `quick` chooses. */
export async function proxy(
  { peers, only, quick }: BenchOptions,
  plan: Plan = quick ? QUICK : WHOLE,
): Promise<BenchResult> {
  const dir = mkdtempSync(join(tmpdir(), 'lk-bench-'));
  chmodSync(dir, 0o755);
  const wants = (what: string): boolean => only.length === 0 || only.some((word) => what.includes(word));
  const world = await makeWorld(dir);
  const cases = new Cases(world);
  try {
    if (wants('stdio')) for (const era of ['session', 'stateless'] as const) await addStdio(cases, era);
    if (wants('http')) await addHttp(cases, world);
    if (peers && wants('http')) await addPeers(cases, world, say);
    const rounds = await measure(cases.list, { dir, plan, say });
    const resident = new Map(cases.list.map(({ name, pid }) => [name, pid === null ? null : heldBy(pid)]));
    await cases.close();
    const names = PROFILED.filter((name) => rounds.figures.has(name));
    const folder = join(dir, 'profiles');
    mkdirSync(folder);
    const sampled = await profiles(world, { dir: folder, names, plan });
    const held = wants('memory') ? await memory(world, quick ? SESSIONS.slice(0, 1) : SESSIONS, say) : null;
    return resultOf(cases, { rounds, resident, held, sampled, inMemory: statfsSync(dir).type === TMPFS });
  } finally {
    await cases.close();
    for (const child of world.processes) child.kill('SIGKILL');
    rmSync(dir, { recursive: true, force: true });
  }
}

/** KiB of what stands between, with all that it started but the server. */
function heldBy(pid: number): number {
  return treeOf(pid).reduce((sum, one) => sum + residentOf(one), 0);
}

interface Found {
  readonly rounds: Rounds;
  /** KiB, after all rounds. */
  readonly resident: ReadonlyMap<string, number | null>;
  readonly held: Memory | null;
  readonly sampled: ReadonlyMap<string, Profile>;
  /** The records were written to a disk that is none. */
  readonly inMemory: boolean;
}

function resultOf({ list, absent }: Cases, found: Found): BenchResult {
  const { rounds, resident, held, sampled } = found;
  const missing: Absent[] = [
    ...absent,
    ...list.flatMap((one) => {
      const said = rounds.broken.get(one.name);
      return said === undefined
        ? []
        : [{ ...one, why: `broke while it was measured (${said.slice(0, 100)})` }];
    }),
  ];
  const measured = list.filter(({ name }) => rounds.figures.has(name));
  const targets = targetsOf(measured, rounds, held);
  return {
    head: ['case', 'p50 ms', 'p95 ms', 'p99 ms', 'calls/s', 'p50 ratio', 'CPU us/call', 'RSS MiB'],
    rows: [
      ...measured.flatMap((one) => WIDTHS.map((width) => rowOf(one, { width, rounds, resident }))),
      ...missing.map(({ name }) => [name, ...Array.from({ length: 7 }, () => '-')]),
    ],
    notes: [
      ...missing.map(({ name, why }) => `${name}: ${why}.`),
      ...notesOf(found),
      '',
      ...targets.map(shown),
      '',
      ...dominance(rounds, sampled),
    ],
    data: {
      node: process.version,
      syncMs: rounds.syncMs,
      syncAfterCallMs: rounds.syncAfterCallMs,
      plan: rounds.plan,
      onTmpfs: found.inMemory,
      cases: [
        ...measured.map(({ caller: _, pid: __, ...one }) => ({
          ...one,
          widths: Object.fromEntries(rounds.figures.get(one.name) ?? []),
          residentKiB: resident.get(one.name) ?? null,
        })),
        ...missing.map(({ name, topology, era, kind, base, why }) => ({
          name,
          topology,
          era,
          kind,
          base,
          why,
        })),
      ],
      memory: held,
      targets,
      holds: targets.every(({ verdict }) => verdict === 'holds'),
      split: splitsOf(rounds),
      profiles: Object.fromEntries(sampled),
    },
  };
}

function rowOf(
  { name, base }: Case,
  { width, rounds, resident }: Pick<Found, 'rounds' | 'resident'> & { readonly width: number },
): string[] {
  const at = rounds.figures.get(name)?.get(width);
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
}

function notesOf({ rounds: { plan, syncMs, syncAfterCallMs }, held, inMemory }: Found): string[] {
  const sessions = Object.entries(held?.perSession ?? {}).map(
    ([count, kib]) => `${kib.toFixed(1)} KiB for each of ${count}`,
  );
  return [
    `${plan.rounds} interleaved rounds of ${plan.turnMs} ms each, Node ${process.version}; one append and fdatasync of a record: ${syncMs.toFixed(3)} ms where one follows the other, ${syncAfterCallMs.toFixed(3)} ms after a call (p50, in the same rounds).`,
    ...(inMemory ? ['The records were kept in memory: set TMPDIR to a folder on a disk.'] : []),
    'Everything on: a policy whose every call has its arguments looked at, content controls, a durable record before each call, metrics, bubblewrap. Ours reaches its server over HTTP by pinned TLS, the others and direct without.',
    'CPU and RSS are those of what stands between, all its processes and threads; the server and the client pay for themselves. Two cases of one lk gateway or one peer share its RSS.',
    'Servers and clients are hand-written and answer at once, but for those of "SDK", whose server is made with the MCP SDK: with it, shares and ratios are what people see. An SDK pair is a client and a server of the SDK back to back; it checks and records nothing, as the other gateways.',
    ...(held
      ? [
          `A gateway that nobody calls: ${held.idleMiB.toFixed(0)} MiB resident; idle sessions: ${sessions.join(', ')}.`,
        ]
      : []),
  ];
}
