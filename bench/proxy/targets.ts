/** What was promised, held against what was measured. */
import type { Case, Topology } from './cases.ts';
import { nameIn } from './cases.ts';
import type { Memory } from './memory.ts';
import type { Figures, Rounds } from './rounds.ts';

export interface Target {
  readonly what: string;
  readonly rule: string;
  readonly unit: 'ms' | '%' | 'us' | 'x' | 'MB' | 'KB';
  readonly sense: '<=' | '>=';
  readonly target: number;
  readonly measured: number;
  readonly verdict: 'holds' | 'misses';
}

const ERAS = ['session', 'stateless'] as const;
const OURS: Readonly<Record<Topology, string>> = {
  'stdio to stdio': 'lk run',
  'stdio to HTTP': 'lk run to HTTP',
  'HTTP to stdio': 'lk gateway to stdio',
  'HTTP to HTTP': 'lk gateway to HTTP',
};

type At = (name: string, width: number) => Figures | undefined;

/** Targets whose cases were measured; of others nothing is said. */
export function targetsOf(cases: readonly Case[], rounds: Rounds, memory: Memory | null): Target[] {
  const at: At = (name, width) => rounds.figures.get(name)?.get(width);
  return [
    ...ERAS.flatMap((era) =>
      [
        ['lk run', 'direct'],
        ['lk run, SDK', 'direct, SDK'],
      ].flatMap(([ours = '', base = '']) =>
        overPipes(at, nameIn(era, ours), nameIn(era, base), rounds.syncMs),
      ),
    ),
    ...ERAS.flatMap((era) => overHttp(at, nameIn(era, 'lk gateway to HTTP'), nameIn(era, 'direct HTTP'))),
    ...Object.keys(OURS).flatMap((topology) => againstPeers(cases, at, topology as Topology)),
    ...(memory ? ofMemory(memory) : []),
  ];
}

function overPipes(at: At, ours: string, base: string, syncMs: number): Target[] {
  const [d1, o1, d32, o32] = [at(base, 1), at(ours, 1), at(base, 32), at(ours, 32)];
  if (!d1 || !o1 || !d32 || !o32) return [];
  return [
    judged({
      what: `${ours}, p50 of one at a time`,
      rule: `${base} + one fdatasync + 0.2 ms`,
      unit: 'ms',
      sense: '<=',
      target: d1.p50 + syncMs + 0.2,
      measured: o1.p50,
    }),
    judged({
      what: `${ours}, calls/s at 32`,
      rule: `of ${base}`,
      unit: '%',
      sense: '>=',
      target: 45,
      measured: (o32.perSecond / d32.perSecond) * 100,
    }),
    judged({
      what: `${ours}, CPU of a call at 32`,
      rule: '',
      unit: 'us',
      sense: '<=',
      target: 100,
      measured: o32.cpu ?? Number.NaN,
    }),
  ];
}

function overHttp(at: At, ours: string, base: string): Target[] {
  const [d1, o1] = [at(base, 1), at(ours, 1)];
  if (!d1 || !o1) return [];
  return [
    judged({
      what: `${ours}, p50 of one at a time`,
      rule: `${base} + 0.8 ms`,
      unit: 'ms',
      sense: '<=',
      target: d1.p50 + 0.8,
      measured: o1.p50,
    }),
  ];
}

/** The best of the others, by processor time, in the same topology. */
function againstPeers(cases: readonly Case[], at: At, topology: Topology): Target[] {
  const ours = OURS[topology];
  const own = at(ours, 32)?.cpu ?? null;
  const [best] = cases
    .filter(({ kind, era, topology: of }) => kind === 'peer' && era === 'session' && of === topology)
    .flatMap(({ name }) => {
      const cpu = at(name, 32)?.cpu ?? null;
      return cpu === null ? [] : [{ name, cpu }];
    })
    .sort((a, b) => a.cpu - b.cpu);
  if (!best || own === null) return [];
  return [
    judged({
      what: `${ours}, times less CPU of a call at 32`,
      rule: `than the best other, ${best.name}, ${best.cpu.toFixed(0)} us`,
      unit: 'x',
      sense: '>=',
      target: 5,
      measured: best.cpu / own,
    }),
  ];
}

function ofMemory({ idleMiB, perSession }: Memory): Target[] {
  return [
    judged({
      what: 'lk gateway, resident, idle',
      rule: '',
      unit: 'MB',
      sense: '<=',
      target: 90,
      measured: idleMiB * 1.048576,
    }),
    ...Object.entries(perSession).map(([count, kib]) =>
      judged({
        what: `lk gateway, each of ${count} idle sessions`,
        rule: '',
        unit: 'KB',
        sense: '<=',
        target: 48,
        measured: kib,
      }),
    ),
  ];
}

/** What is not a number does not hold. */
function judged(one: Omit<Target, 'verdict'>): Target {
  const { sense, measured, target } = one;
  const holds = sense === '<=' ? measured <= target : measured >= target;
  return { ...one, verdict: holds ? 'holds' : 'misses' };
}

const DIGITS: Readonly<Record<Target['unit'], number>> = { ms: 3, '%': 0, us: 0, x: 1, MB: 0, KB: 1 };

export function shown({ what, rule, unit, sense, target, measured, verdict }: Target): string {
  const said = (value: number): string => `${value.toFixed(DIGITS[unit])} ${unit}`;
  const wanted = `${sense} ${said(target)}${rule === '' ? '' : ` (${rule})`}`;
  return `${verdict.padEnd(6)}  ${what}: ${said(measured)}; wanted ${wanted}`;
}
