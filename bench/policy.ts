/** Decisions of a policy: known again, made anew, and the worst case, where every line is about the same tool and people. */
import { openPolicy, type Policy } from '../runtime/policy/open.ts';
import type { JsonObject } from '../schemas/common.ts';
import { sha256 } from '../schemas/json.ts';
import { pinSurface, type Surface } from '../schemas/surface.ts';
import { callOf } from '../test/helpers/policy.ts';
import { surface as base, makeEntry } from '../test/helpers/trust.ts';
import type { BenchResult } from './main.ts';
import { quantile } from './measure.ts';

const SIZES = [2, 100, 1000] as const;
const SERVERS = 10;
const TOOLS = 20;
const TEAMS = 100;
const WARM_UP = 50;

const tools = Object.fromEntries(
  Array.from({ length: TOOLS }, (_, at): [string, JsonObject] => [
    `t${at}`,
    { name: `t${at}`, inputSchema: { type: 'object' }, annotations: { readOnlyHint: at % 2 === 0 } },
  ]),
);
const surface: Surface = { ...base, tools };
const pins = pinSurface(surface);
const { permissions } = makeEntry();
const aliases = Array.from({ length: SERVERS }, (_, at) => `s${at}`);
const entries = new Map(
  aliases.map((alias) => [alias, { server: `acme.tools/${alias}`, surface: pins, permissions }]),
);
const surfaces = new Map(aliases.map((alias) => [alias, surface]));

/** As a company has them: each line of a team and a tool of its own. */
function spread(lines: number, where: string): string {
  const teams = Array.from({ length: Math.min(lines, TEAMS) }, (_, at) => `team g${at} = u${at}@example.com`);
  const rules = Array.from(
    { length: lines },
    (_, at) =>
      `g${at % TEAMS}: tool t${at % TOOLS} of the s${Math.floor(at / TOOLS) % SERVERS} server${where}`,
  );
  return [...teams, ...rules].join('\n');
}

/** With it, each minute is decided by itself. */
const TIMED = '\nanyone: tool t0 of the s0 server, between 00:00 and 23:59';
const MINUTES = 1400;
const MIDNIGHT = Date.parse('2026-11-24T00:00:00.000Z');

/** All of them about one tool and anyone: no slice makes it less. */
function together(lines: number): string {
  return Array.from(
    { length: lines },
    (_, at) => `anyone: tool t0 of the s0 server, where path is below /d/${at}`,
  ).join('\n');
}

function opened(text: string): { policy: Policy; ms: number } {
  const start = performance.now();
  const policy = openPolicy({ text, digest: sha256(text), environment: 'development', entries, surfaces });
  return { policy, ms: performance.now() - start };
}

interface Times {
  readonly p50: number;
  readonly p99: number;
}

/** Microseconds of each decision, after some that are not counted; `minute` is that of a call. */
function timed(policy: Policy, count: number, minute: (at: number) => number = () => 0): Times {
  const times: number[] = [];
  for (let at = 0; at < count + WARM_UP; at++) {
    const call = callOf('u0@example.com', 's0/t0', {
      arguments: { path: `/d/0/file-${at}`, text: 'x'.repeat(200) },
      now: new Date(MIDNIGHT + minute(at) * 60_000),
    });
    const start = performance.now();
    const { effect, rule } = policy.judge(call);
    const took = (performance.now() - start) * 1000;
    if (effect !== 'allow') throw new Error(`${effect} by ${rule}`);
    if (at >= WARM_UP) times.push(took);
  }
  return { p50: quantile(times, 0.5), p99: quantile(times, 0.99) };
}

/** No two in a row are of the same minute, and what was decided of the first is forgotten before it comes again. */
const another = (at: number): number => at % MINUTES;

export async function policy(): Promise<BenchResult> {
  const rows: string[][] = [];
  const data: Record<string, object> = {};
  const anew: Times[] = [];
  const worst: Times[] = [];
  for (const lines of SIZES) {
    const plain = opened(spread(lines, ''));
    const kept = timed(plain.policy, 20_000);
    const byArguments = timed(opened(spread(lines, ', where path is below /d')).policy, 2000);
    const fresh = timed(opened(spread(lines, ', where path is below /d') + TIMED).policy, 1000, another);
    const crowded = timed(opened(together(lines) + TIMED).policy, lines > 100 ? 50 : 500, another);
    anew.push(fresh);
    worst.push(crowded);
    data[lines] = { openMs: plain.ms, kept, arguments: byArguments, anew: fresh, worst: crowded };
    const all = [kept, byArguments, fresh, crowded];
    const cells = all.flatMap(({ p50, p99 }) => [p50.toFixed(1), p99.toFixed(1)]);
    rows.push([String(lines), plain.ms.toFixed(0), ...cells]);
  }
  return {
    head: [
      ...['lines', 'open ms', 'kept p50 us', 'p99', 'arguments p50 us', 'p99'],
      ...['anew p50 us', 'p99', 'one tool anew p50 us', 'p99'],
    ],
    rows,
    notes: [
      'kept: neither arguments nor time matter, and the decision was made before. arguments: they are looked at in each call, and what they come to was decided before.',
      'anew: each call is of another minute, and one line has times: the engine is asked by the lines that can apply to this person and tool. one tool anew: every line applies; no slice makes it less.',
      dominant(anew, worst),
    ],
    data,
  };
}

/** Only differences of what was measured. */
function dominant(anew: readonly Times[], worst: readonly Times[]): string {
  const [first, last] = [worst[0]?.p50 ?? 0, worst.at(-1)?.p50 ?? 0];
  const each = (last - first) / ((SIZES.at(-1) ?? 0) - SIZES[0]);
  const asked = anew.map(({ p50 }) => p50.toFixed(0)).join(', ');
  return (
    `What dominates: being asked at all. A decision made anew takes ${asked} us under ${SIZES.join(', ')} lines, for the engine gets the few that can apply; ` +
    `each further line that does apply adds ${each.toFixed(1)} us. ` +
    'It cannot be less than one question to the engine where time matters; where it does not, a decision is known again.'
  );
}
