/** Where the main thread of a command spends its time while 32 calls are on their way: what V8 sampled. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Case, Cases, doorOf, overHttp, piped, startGateway } from './cases.ts';
import { measureOne, type Plan } from './rounds.ts';
import type { World } from './world.ts';

const RUNTIME: readonly (readonly [area: string, files: RegExp])[] = [
  ['framing and parsing', /\/runtime\/wire\//],
  ['judging', /\/runtime\/(gate|policy|content)\/|\/cedar-wasm\/|\/schemas\/(validate|labels)/],
  ['records', /\/runtime\/(journal\/|session\/records)|\/schemas\/audit|^node:(internal\/)?(crypto|fs)/],
  ['metrics', /\/runtime\/telemetry\//],
  [
    'pipes and sockets',
    /^node:(internal\/)?(net|stream|streams|http|tls|_|js_stream)|\/node_modules\/undici\//,
  ],
  ['sessions and their limits', /\/(runtime|cli|schemas)\//],
];
/** Their time is that of whoever called them. */
const HELPERS =
  /\/schemas\/json\.ts|^node:(internal\/)?(buffer|util|process|timers|events|async|validators|errors|abort|url)/;
const TOP = 15;
const NATIVE = new Map([
  ['(garbage collector)', 'garbage collection'],
  ['(program)', 'engine and kernel'],
]);

/** Shares of the time that the thread was busy, the largest first. */
export interface Profile {
  readonly areas: readonly (readonly [area: string, share: number])[];
  /** Functions, by their own time. */
  readonly top: readonly { readonly what: string; readonly share: number }[];
}

interface Sampled {
  readonly startTime: number;
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string };
    readonly children?: readonly number[];
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

const nowUs = (): number => Number(process.hrtime.bigint() / 1000n);

/** By name of the case; each in a process of its own, after all rounds. */
export async function profiles(
  world: World,
  { dir, names, plan }: { dir: string; names: readonly string[]; plan: Plan },
): Promise<Map<string, Profile>> {
  const flags = ['--cpu-prof', '--cpu-prof-interval', '500', '--cpu-prof-dir', dir];
  const found = new Map<string, Profile>();
  for (const name of names) {
    const cases = new Cases(world);
    let from = 0;
    let to = 0;
    let pid: number | null = null;
    try {
      const one = await start(cases, name, flags);
      pid = one.pid;
      await measureOne(one, { width: 32, ms: plan.warmUpMs });
      from = nowUs();
      await measureOne(one, { width: 32, ms: plan.turnMs * 4 });
      to = nowUs();
    } finally {
      // The profile is written at the end of the process.
      await cases.close();
    }
    const file = readdirSync(dir).find((each) => each.split('.')[3] === String(pid));
    if (file === undefined) throw new Error(`${name} left no profile in ${dir}`);
    found.set(name, profileOf(JSON.parse(readFileSync(join(dir, file), 'utf8')) as Sampled, { from, to }));
  }
  return found;
}

async function start(cases: Cases, name: string, flags: readonly string[]): Promise<Case> {
  const one = { name, era: 'session', kind: 'ours', base: '', topology: 'stdio to stdio' } as const;
  if (name === 'lk run')
    await cases.add(
      one,
      piped(() => cases.lk(['run', 'here'], flags)),
    );
  else {
    const gateway = await startGateway(cases, flags);
    await cases.add(one, overHttp(doorOf(gateway, 'elsewhere'), gateway.pid));
  }
  const [first] = cases.list;
  if (!first) throw new Error(`${name} was not started`);
  return first;
}

/** Only of samples between two moments, in microseconds of the monotonic clock. */
function profileOf(sampled: Sampled, { from, to }: { from: number; to: number }): Profile {
  const areas = areasOf(sampled);
  const byArea = new Map<string, number>();
  const byFunction = new Map<string, number>();
  const names = new Map(sampled.nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
  let at = sampled.startTime;
  let all = 0;
  for (const [index, id] of sampled.samples.entries()) {
    at += sampled.timeDeltas[index] ?? 0;
    const area = areas.get(id);
    if (area === undefined || at < from || at > to) continue;
    const us = Math.max(0, sampled.timeDeltas[index + 1] ?? 0);
    const name = names.get(id) ?? '';
    byArea.set(area, (byArea.get(area) ?? 0) + us);
    byFunction.set(name, (byFunction.get(name) ?? 0) + us);
    all += us;
  }
  const shares = (of: ReadonlyMap<string, number>): [string, number][] =>
    [...of].map(([name, us]): [string, number] => [name, us / all]).sort(([, a], [, b]) => b - a);
  const top = shares(byFunction).slice(0, TOP);
  return { areas: shares(byArea), top: top.map(([what, share]) => ({ what, share })) };
}

/** With the last two names of its file. */
function nameOf({ functionName, url }: Sampled['nodes'][number]['callFrame']): string {
  const file = url.split('/').slice(-2).join('/');
  return `${functionName.slice(0, 60) || '(anonymous)'}${file === '' ? '' : ` of ${file}`}`;
}

/** The area of each node; none while it is idle. */
function areasOf({ nodes }: Sampled): Map<number, string> {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const areas = new Map<number, string>();
  const walk = (id: number, above: string): void => {
    const node = byId.get(id);
    if (!node) return;
    const { functionName, url } = node.callFrame;
    const own = NATIVE.get(functionName) ?? (HELPERS.test(url) ? undefined : areaOf(url));
    const area = own ?? above;
    if (functionName !== '(idle)') areas.set(id, area);
    for (const child of node.children ?? []) walk(child, area);
  };
  const [root] = nodes;
  if (root) walk(root.id, 'engine and kernel');
  return areas;
}

function areaOf(url: string): string | undefined {
  return RUNTIME.find(([, files]) => files.test(url))?.[0];
}
