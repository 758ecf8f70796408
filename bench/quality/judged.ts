/** What the checks of a scan say to labelled surfaces: the same functions, policy and severities. */
import type { SurfaceCheck, SurfaceFacts } from '../../scanner/checks/check.ts';
import { surfaceChecks } from '../../scanner/checks/index.ts';
import type { Peer } from '../../scanner/ports.ts';
import { judge } from '../../scanner/report.ts';
import type { JsonObject } from '../../schemas/common.ts';
import { diffSurfaces } from '../../schemas/diff/surfaces.ts';
import type { Finding } from '../../schemas/finding.ts';
import { DEFAULT_POLICY } from '../../schemas/policy.ts';
import { pointerOf, type Surface } from '../../schemas/surface.ts';
import type { ToolRecord } from './records.ts';

/** block: a finding of a check that gates. warn: medium and above of another. note: whatever else was said. */
export type Weight = 'block' | 'warn' | 'note';
const WEIGHTS: readonly Weight[] = ['note', 'warn', 'block'];

export interface Said {
  readonly weight: Weight;
  readonly finding: Finding;
}

/** Everything that the checks said, and the gravest of it; null for nothing. */
export interface Verdict {
  readonly said: readonly Said[];
  readonly weight: Weight | null;
}

export function verdictOf(said: readonly Said[]): Verdict {
  const top = Math.max(-1, ...said.map(({ weight }) => WEIGHTS.indexOf(weight)));
  return { said, weight: WEIGHTS[top] ?? null };
}

type NamedTool = JsonObject & { readonly name: string };

export function surfaceWith(tools: readonly NamedTool[]): Surface {
  return {
    capture: { protocolVersion: '2025-11-25', eras: ['session'], clientCapabilities: {} },
    serverInfo: { name: 'measured' },
    capabilities: {},
    instructions: null,
    tools: toolsByName(tools),
    prompts: {},
    resources: {},
    resourceTemplates: {},
    volatile: [],
  };
}

const toolsByName = (tools: readonly NamedTool[]): Surface['tools'] =>
  Object.fromEntries(tools.map((tool) => [tool.name, tool]));

interface Beside {
  readonly peers?: readonly Peer[];
  readonly before?: Surface | null;
  /** Others than those of a scan, for whoever compares them. */
  readonly checks?: readonly SurfaceCheck[];
}

/** One surface by itself, or against the one that was approved before it. */
export async function saidOf(
  surface: Surface,
  { peers = [], before = null, checks = surfaceChecks }: Beside = {},
): Promise<Said[]> {
  const facts: SurfaceFacts = {
    ...{ surface, other: surface, policy: DEFAULT_POLICY, peers },
    // Checks of texts read nothing else of a baseline than its surface.
    baseline: before && ({ version: 'before', surface: before } as SurfaceFacts['baseline']),
    changes: before ? diffSurfaces(before, surface) : [],
  };
  const results = await judge(checks, facts);
  return results.flatMap((result) => {
    if (result.outcome === 'unknown') throw new Error(`${result.id}: ${result.reason}`);
    if (result.outcome === 'ok') return [];
    return result.findings.map((finding) => ({ weight: weightOf(result.gates, finding), finding }));
  });
}

function weightOf(gates: boolean, { severity }: Finding): Weight {
  if (gates) return 'block';
  return severity === 'low' || severity === 'info' ? 'note' : 'warn';
}

/** A record by itself, with those tools beside it that it comes with. */
export async function verdictOfTool(
  { tool, peers, server }: ToolRecord,
  checks = surfaceChecks,
): Promise<Verdict> {
  const others = Map.groupBy(peers, (peer) => peer.server);
  const siblings = (server === null ? undefined : others.get(server)) ?? [];
  const beside = [...others].filter(([name]) => name !== server);
  const said = await saidOf(surfaceWith([...siblings.map((peer) => peer.tool), tool]), {
    checks,
    peers: beside.map(([name, list]) => ({
      server: name,
      tools: toolsByName(list.map((peer) => peer.tool)),
    })),
  });
  const at = pointerOf('tools', tool.name);
  return verdictOf(said.filter(({ finding }) => isAbout(finding, at)));
}

/** All tools of one server as one surface, which is how they are scanned; verdicts by record. */
export async function verdictsOfServer(
  records: readonly ToolRecord[],
  checks = surfaceChecks,
): Promise<Map<ToolRecord, Verdict>> {
  const said = await saidOf(surfaceWith(records.map(({ tool }) => tool)), { checks });
  return new Map(
    records.map((record) => {
      const at = pointerOf('tools', record.tool.name);
      return [record, verdictOf(said.filter(({ finding }) => isAbout(finding, at)))];
    }),
  );
}

/** Tools of one server each: versions apart, and a name that comes twice apart as well: a surface has each name once. */
export function serversOf(records: readonly ToolRecord[]): ToolRecord[][] {
  const servers = new Map<string, ToolRecord[]>();
  for (const record of records) {
    for (let turn = 0; ; turn++) {
      const key = [record.source, record.server, record.version, turn].join('\u0000');
      const group = servers.get(key) ?? [];
      if (group.some(({ tool }) => tool.name === record.tool.name)) continue;
      servers.set(key, [...group, record]);
      break;
    }
  }
  return [...servers.values()];
}

function isAbout({ evidence }: Finding, tool: string): boolean {
  return evidence.some((item) => 'at' in item && (item.at === tool || item.at.startsWith(`${tool}/`)));
}
