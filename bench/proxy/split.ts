/** What the time of a call consists of, said with differences of what was measured and with nothing else. */
import type { Profile } from './profile.ts';
import type { Rounds } from './rounds.ts';

interface Way {
  readonly say: string;
  readonly direct: string;
  readonly floor: string;
  readonly ours: string;
}

const WAYS: readonly Way[] = [
  { say: 'stdio', direct: 'direct', floor: 'floor', ours: 'lk run' },
  { say: 'HTTP', direct: 'direct HTTP', floor: 'floor HTTP', ours: 'lk gateway to HTTP' },
];

export interface Split {
  readonly way: string;
  /** Milliseconds that each part adds to the p50 of a call that is alone, each case in its calmest round. */
  readonly parts: Readonly<Record<string, number>>;
  readonly largest: string;
}

/** Of ways whose every part was measured. */
export function splitsOf({ figures }: Rounds): Split[] {
  return WAYS.flatMap(({ say, direct, floor, ours }) => {
    const p50 = (name: string): number => figures.get(name)?.get(1)?.p50Range[0] ?? Number.NaN;
    const parts = {
      'server and client': p50(direct),
      'one more process': p50(`${floor}, nothing synced`) - p50(direct),
      'reading, judging, recording': p50(`${ours}, nothing synced`) - p50(`${floor}, nothing synced`),
      'the disk': p50(ours) - p50(`${ours}, nothing synced`),
    };
    const [largest] = Object.entries(parts).sort(([, a], [, b]) => b - a);
    if (!largest || Object.values(parts).some(Number.isNaN)) return [];
    return [{ way: say, parts, largest: largest[0] }];
  });
}

export function dominance(rounds: Rounds, profiles: ReadonlyMap<string, Profile>): string[] {
  const of = (name: string, width: number) => rounds.figures.get(name)?.get(width);
  const lines = splitsOf(rounds).map(({ way, parts, largest }) => {
    const told = Object.entries(parts).map(([part, ms]) => `${part} ${ms.toFixed(3)}`);
    return `${way}, one at a time, p50 in ms of the calmest rounds: ${told.join(', ')}. What dominates: ${largest}.`;
  });
  for (const { say, direct, floor } of WAYS) {
    const [d1, f1] = [of(direct, 1), of(floor, 1)];
    if (!d1 || !f1) continue;
    lines.push(
      `${say}: whatever stands between and keeps a durable record pays the floor, ${f1.p50.toFixed(3)} ms beside ${d1.p50.toFixed(3)}: one more process to wake on the way there and one on the way back, and one sync, which took ${rounds.syncMs.toFixed(3)} ms by itself. It neither reads nor judges.`,
    );
  }
  const [direct, floor, ours] = [of('direct', 32), of('floor', 32), of('lk run', 32)];
  if (direct && floor && ours) {
    const each = 1e6 / direct.perSecond;
    lines.push(
      `stdio, 32 at once: the hand-written server answers a call each ${each.toFixed(0)} us, so 45 % of its rate leaves ${(each / 0.45).toFixed(0)} us of one thread to each; the floor, which reads nothing, spends ${us(floor.cpu)}, lk run ${us(ours.cpu)}.`,
    );
  }
  for (const [name, { areas, top }] of profiles) {
    const told = areas
      .filter(([, share]) => share >= 0.01)
      .map(([area, share]) => `${area} ${percent(share)}`);
    const first = top.slice(0, 5).map(({ what, share }) => `${what} ${percent(share)}`);
    lines.push(
      `${name}, 32 at once, ${us(of(name, 32)?.cpu ?? null)} a call, of its busy main thread: ${told.join(', ')}; by function: ${first.join(', ')}.`,
    );
  }
  return lines;
}

const us = (value: number | null): string => (value === null ? '-' : `${value.toFixed(0)} us`);
const percent = (share: number): string => `${(share * 100).toFixed(0)} %`;
