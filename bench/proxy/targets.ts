/** What was promised, held against what was measured. */
import type { Case } from './cases.ts';
import type { Memory } from './memory.ts';
import type { Figures, Rounds } from './rounds.ts';

export interface Target {
  readonly what: string;
  readonly wanted: string;
  readonly found: string;
  readonly holds: boolean;
}

/** Targets whose cases were measured; of others nothing is said. */
export function targetsOf(
  cases: readonly Case[],
  { figures, syncMs }: Rounds,
  memory: Memory | null,
): Target[] {
  const at = (name: string, width: number): Figures | undefined => figures.get(name)?.get(width);
  const targets: Target[] = [];
  for (const era of ['', ' 2026-07-28']) {
    const [direct, ours] = [`direct${era}`, `lk run${era}`];
    const [d1, o1, d32, o32] = [at(direct, 1), at(ours, 1), at(direct, 32), at(ours, 32)];
    if (!d1 || !o1 || !d32 || !o32) continue;
    const most = d1.p50 + syncMs + 0.2;
    targets.push(
      target(
        `${ours}, p50 of one at a time`,
        `<= ${ms(most)} (direct + one fdatasync + 0.2 ms)`,
        ms(o1.p50),
        o1.p50 <= most,
      ),
      target(
        `${ours}, calls/s at 32`,
        '>= 45 % of direct',
        share(o32.perSecond / d32.perSecond),
        o32.perSecond >= 0.45 * d32.perSecond,
      ),
      target(
        `${ours}, CPU at 32`,
        '<= 100 us a call',
        us(o32.cpu),
        (o32.cpu ?? Number.POSITIVE_INFINITY) <= 100,
      ),
    );
  }
  for (const era of ['', ' 2026-07-28']) {
    const [direct, ours] = [at(`direct HTTP${era}`, 1), at(`lk gateway to HTTP${era}`, 1)];
    if (!direct || !ours) continue;
    const added = ours.p50 - direct.p50;
    targets.push(
      target(
        `lk gateway to HTTP${era}, p50 of one at a time`,
        '<= direct + 0.8 ms',
        `+ ${ms(added)}`,
        added <= 0.8,
      ),
    );
  }
  targets.push(...heldAgainstPeers(cases, at), ...(memory ? ofMemory(memory) : []));
  return targets;
}

/** The best of the others, by processor time, in the same topology. */
function heldAgainstPeers(
  cases: readonly Case[],
  at: (name: string, width: number) => Figures | undefined,
): Target[] {
  const ours = at('lk gateway to stdio', 32)?.cpu ?? null;
  const peers = cases
    .filter(({ kind }) => kind === 'peer')
    .map(({ name }) => [name, at(name, 32)?.cpu ?? null] as const);
  const [best] = peers
    .flatMap(([name, cpu]) => (cpu === null ? [] : [{ name, cpu }]))
    .sort((a, b) => a.cpu - b.cpu);
  if (!best || ours === null) return [];
  const times = best.cpu / ours;
  return [
    target(
      'lk gateway to stdio, CPU at 32',
      `5 x less than the best peer (${best.name}, ${us(best.cpu)})`,
      `${times.toFixed(1)} x, ${us(ours)}`,
      times >= 5,
    ),
  ];
}

function ofMemory({ idleMiB, perSession }: Memory): Target[] {
  return [
    target('lk gateway, resident, idle', '<= 90 MB', `${idleMiB.toFixed(0)} MiB`, idleMiB * 1.048576 <= 90),
    ...Object.entries(perSession).map(([count, kib]) =>
      target(`lk gateway, each of ${count} idle sessions`, '<= 48 KB', `${kib.toFixed(1)} KiB`, kib <= 48),
    ),
  ];
}

function target(what: string, wanted: string, found: string, holds: boolean): Target {
  return { what, wanted, found, holds };
}

const ms = (value: number): string => `${value.toFixed(3)} ms`;
const us = (value: number | null): string => (value === null ? '-' : `${value.toFixed(0)} us`);
const share = (value: number): string => `${(value * 100).toFixed(0)} %`;
