/** What a server did when its tools were called in a sandbox, against what it says and asks to be permitted. */
import { permits } from '../../runtime/egress/rules.ts';
import type { Behaviour, Seen } from '../../schemas/behaviour.ts';
import type { Evidence, Severity } from '../../schemas/finding.ts';
import { SINKHOLE_HOST, WORK } from '../behaviour/places.ts';
import { counted } from '../text.ts';
import { type Check, type Facts, finding, firedOr, gravest, type Outcome, ok, unknown } from './check.ts';
import { evidenceOf } from './surface-diff.ts';

type Found = ReturnType<typeof finding>;

interface Stretch {
  /** Null before the first call. */
  readonly tool: string | null;
  readonly seen: Seen;
}

/** Whom its tools tried to reach, and what those that only read wrote. */
export const calls: Check = {
  id: 'LK-BEH-02',
  title: 'Tools reach what is asked for and no more',
  owasp: 'MCP10',
  run: (facts) => {
    const { behaviour } = facts;
    const findings = [...strangers(facts), ...unnamed(behaviour), ...writers(facts)];
    if (findings.length === 0 && behaviour.unknown !== null) return notCalled(facts);
    const { calls: all } = behaviour;
    const heard = all.filter(({ outcome }) => outcome === 'answered' || outcome === 'failed');
    if (findings.length === 0 && heard.length === 0) return unknown(noteOf(behaviour));
    return firedOr(gravest(findings), noteOf(behaviour));
  },
};

function notCalled({ behaviour, surface }: Pick<Facts, 'behaviour' | 'surface'>): Outcome {
  if (Object.keys(surface.tools).length === 0) return ok('it has no tools');
  return unknown(behaviour.unknown ?? '');
}

function noteOf({ calls: all, notCalled: others }: Behaviour): string {
  const failed = all.filter(({ outcome }) => outcome !== 'answered').length;
  const parts = [`${counted(all.length, 'tool')} called`];
  if (failed > 0) parts.push(`${failed} of them without success`);
  if (others.length > 0) parts.push(`${others.length} not`);
  return parts.join(', ');
}

function stretchesOf({ atStart, calls: all }: Behaviour): Stretch[] {
  return [{ tool: null, seen: atStart }, ...all.map(({ tool, seen }) => ({ tool, seen }))];
}

/** Who did it, as the beginning of a sentence. */
function who(tools: readonly (string | null)[]): string {
  const names = [...new Set(tools)].map((tool) => tool ?? 'its start');
  return names.length > 3 ? `${names.slice(0, 3).join(', ')} and ${names.length - 3} more` : names.join(', ');
}

function strangers({ behaviour, permissions, egress }: Facts): Found[] {
  const by = new Map<string, { host: string; at: { tool: string | null; via: string }[] }>();
  for (const { tool, seen } of stretchesOf(behaviour)) {
    for (const { host, port, via } of seen.tried) {
      if (via === 'kernel' || host === SINKHOLE_HOST || permits(permissions.egress, host, port)) continue;
      const target = `${host}:${port}`;
      // What it tries by being started at all, another check tells.
      if (tool === null && egress.some((event) => `${event.host}:${event.port}` === target)) continue;
      const known = by.get(target) ?? { host, at: [] };
      by.set(target, { host, at: [...known.at, { tool, via }] });
    }
  }
  return [...by].map(([target, { host, at }]) =>
    finding(
      isHere(host) ? 'low' : 'high',
      `${who(at.map(({ tool }) => tool))} tried to reach ${target}, which it does not ask to be permitted`,
      at.map(({ tool, via }) => during(tool, `${target}, ${via}`)),
    ),
  );
}

const isHere = (host: string): boolean => host === 'localhost' || host === '::1' || host.startsWith('127.');

function during(tool: string | null, value: string): Evidence {
  return {
    kind: 'fact',
    source: tool === null ? 'sandbox, at its start' : `sandbox, call of ${tool}`,
    value,
  };
}

/** Ways out that were tried by a program that nobody inside tells of: how many, and not where. */
function unnamed(behaviour: Behaviour): Found[] {
  const all = stretchesOf(behaviour);
  const told = all.some(({ seen }) => seen.tried.some(({ via }) => via === 'report'));
  const silent = all.filter(({ seen }) => seen.tried.some(({ via }) => via === 'kernel'));
  if (told || silent.length === 0) return [];
  const tools = silent.map(({ tool }) => tool);
  const evidence = tools.map((tool) => during(tool, 'counted by the kernel: no way out, or no name server'));
  return [finding('medium', `${who(tools)} tried to reach something past the way out that it has`, evidence)];
}

/** What a tool that says that it only reads left in the folders that it may use. */
function writers({ behaviour, surface }: Facts): Found[] {
  return behaviour.calls.flatMap(({ tool, seen }) => {
    const { annotations: hints } = (surface.tools[tool] ?? {}) as {
      annotations?: { readOnlyHint?: unknown };
    };
    const kept = seen.written.filter((path) => !path.startsWith('/tmp/') || path.startsWith(`${WORK}/`));
    if (hints?.readOnlyHint !== true || kept.length === 0) return [];
    const said = `${tool} says that it only reads, and wrote ${kept[0]}`;
    return [
      finding(
        'medium',
        said,
        kept.map((path) => during(tool, path)),
      ),
    ];
  });
}

/** The bait: files and variables that no tool has a reason to touch. */
export const honey: Check = {
  id: 'LK-BEH-03',
  title: 'Nothing laid out is read or given away',
  owasp: 'MCP01',
  gatesFiredOnly: true,
  run: (facts) => {
    const { behaviour } = facts;
    const each = stretchesOf(behaviour).flatMap((stretch) => [
      ...readers(stretch),
      ...givers(stretch, facts),
    ]);
    const findings = [...each, ...hiders(behaviour)];
    if (findings.length === 0 && behaviour.unknown !== null) return notCalled(facts);
    if (findings.length === 0 && !behaviour.readsSeen)
      return unknown('this disk does not tell who reads a file: it is mounted noatime');
    return firedOr(gravest(findings), 'no bait was touched');
  },
};

function readers({ tool, seen }: Stretch): Found[] {
  return seen.read.map((name) =>
    finding('high', `${who([tool])} opened ${name}`, [during(tool, `${name} was read or changed`)]),
  );
}

/** Behind so much, anything may have gone by: what cannot be looked at is held against it. */
function hiders({ cut, calls: all }: Behaviour): Found[] {
  if (cut === undefined) return [];
  const evidence = [during(all.at(-1)?.tool ?? null, cut)];
  return [finding('high', `${cut}, and was ended: what it did behind that is not known`, evidence)];
}

/** One finding for each place that values went to. */
function givers({ tool, seen }: Stretch, { permissions }: Facts): Found[] {
  const places = new Map<string, { to: Given['to']; names: string[] }>();
  for (const { name, asked, to, where = '' } of seen.given) {
    const at = where.lastIndexOf(':');
    const may = asked && permits(permissions.egress, where.slice(0, at), Number(where.slice(at + 1)));
    if (to === 'connection' && may) continue;
    const place = to === 'connection' ? `to ${where}` : to === 'answer' ? 'in its answer' : 'on stderr';
    places.set(place, { to, names: [...(places.get(place)?.names ?? []), name] });
  }
  return [...places].map(([place, { to, names }]) => {
    const what =
      names.length > 3 ? `${names.slice(0, 3).join(', ')} and ${names.length - 3} more` : names.join(', ');
    const said = `${who([tool])} gave away ${place} what stands in ${what}`;
    const evidence = names.map((name) => during(tool, `${name}: a value made for this scan, ${place}`));
    return finding(gravityOf(names, to), said, evidence);
  });
}

type Given = Seen['given'][number];

/** Whoever asked may be given an answer: a variable in it is worse than nothing, and less than a theft. */
function gravityOf(names: readonly string[], to: Given['to']): Severity {
  if (to === 'connection') return 'critical';
  return names.every((name) => name.startsWith('$')) ? 'medium' : 'high';
}

/** A server that shows other tools once it has been used. */
export const afterCalls: Check = {
  id: 'LK-BEH-04',
  title: 'Shows the same after it was called',
  owasp: 'MCP03',
  gatesFiredOnly: true,
  run: (facts) => {
    const { changes, unknown: why } = facts.behaviour;
    if (why !== null) return notCalled(facts);
    if (changes === null) return unknown('its lists could not be read again after the calls');
    const of = (risky: boolean): typeof changes =>
      changes.filter(({ risk }) => risky === (risk === 'risk' || risk === 'contract' || risk === 'text'));
    const told = (severity: Severity, list: typeof changes): Found[] =>
      list.length === 0
        ? []
        : [
            finding(
              severity,
              `${counted(list.length, 'change')} of what it shows after calls`,
              list.map(evidenceOf),
            ),
          ];
    return firedOr([...told('high', of(true)), ...told('low', of(false))], 'the same lists before and after');
  },
};
