/** Decisions of a policy: kept, on arguments, and the worst case, where every line is about the same tool and people. */
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

/** Microseconds of each decision, after some that are not counted. */
function timed(policy: Policy, count: number, expected: string): { p50: number; p99: number } {
  const times: number[] = [];
  for (let at = 0; at < count + 50; at++) {
    const call = callOf('u0@example.com', 's0/t0', {
      arguments: { path: `/d/0/file-${at}`, text: 'x'.repeat(200) },
    });
    const start = performance.now();
    const { effect, rule } = policy.judge(call);
    const took = (performance.now() - start) * 1000;
    if (effect !== expected) throw new Error(`${effect} by ${rule}`);
    if (at >= 50) times.push(took);
  }
  return { p50: quantile(times, 0.5), p99: quantile(times, 0.99) };
}

export async function policy(): Promise<BenchResult> {
  const rows: string[][] = [];
  const data: Record<string, object> = {};
  for (const lines of SIZES) {
    const plain = opened(spread(lines, ''));
    const kept = timed(plain.policy, 20_000, 'allow');
    const conditioned = timed(opened(spread(lines, ', where path is below /d')).policy, 2000, 'allow');
    const worst = timed(opened(together(lines)).policy, lines > 100 ? 200 : 1000, 'allow');
    data[lines] = { openMs: plain.ms, kept, conditioned, worst };
    const cells = [kept, conditioned, worst].flatMap(({ p50, p99 }) => [p50.toFixed(1), p99.toFixed(1)]);
    rows.push([String(lines), plain.ms.toFixed(0), ...cells]);
  }
  return {
    head: ['lines', 'open ms', 'kept p50 us', 'p99', 'arguments p50 us', 'p99', 'one tool p50 us', 'p99'],
    rows,
    notes: [
      'kept: neither arguments nor time matter, and the decision was made before. arguments: decided anew each time, by the',
      'lines that can apply to this person and tool. one tool: every line applies; no slice makes it less.',
      'A decision made anew is a call into the Cedar engine: carrying entities and context into WebAssembly takes most of it.',
    ],
    data,
  };
}
