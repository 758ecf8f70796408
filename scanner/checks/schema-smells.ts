import { compilePattern } from '../../runtime/gate/pattern.ts';
import { References } from '../../runtime/gate/references.ts';
import { isObject, type Json, type JsonObject } from '../../schemas/common.ts';
import type { Severity } from '../../schemas/finding.ts';
import { pointerOf } from '../../schemas/surface.ts';
import { destroys } from './annotations.ts';
import { finding, firedOr, gravest, type SurfaceCheck } from './check.ts';

/** Input schemas that no review should pass unseen: they promise what they do not hold, or no call could be judged by them. */
export const schemaSmells: SurfaceCheck = {
  id: 'LK-SRF-07',
  title: 'Input schemas hold what they promise',
  owasp: 'MCP03',
  run: ({ surface }) => {
    const tools = Object.entries(surface.tools);
    const findings = tools.flatMap(([name, tool]) =>
      smellsOf(name, tool).map(({ severity, what, at, value }) =>
        finding(severity, `${name} ${what}`, [
          { kind: 'text', at, excerpt: JSON.stringify(value).slice(0, 200) },
        ]),
      ),
    );
    return firedOr(gravest(findings), `${tools.length} tools`);
  },
};

interface Smell {
  readonly severity: Severity;
  readonly what: string;
  readonly at: string;
  readonly value: Json;
}

/** Schemas of one tool that are looked at, and how deep they may lie in each other. */
const MOST = 5000;
const DEEPEST = 100;

const NAMED = new Set(['properties', 'patternProperties', '$defs', 'definitions', 'dependentSchemas']);
const LISTED = new Set(['anyOf', 'oneOf', 'allOf', 'prefixItems']);
const NESTED = new Set(
  'items not if then else contains additionalProperties propertyNames unevaluatedProperties unevaluatedItems'.split(
    ' ',
  ),
);

function smellsOf(name: string, tool: JsonObject): Smell[] {
  const { inputSchema: root } = tool;
  const top = pointerOf('tools', name, 'inputSchema');
  if (!isObject(root)) return [];
  const references = new References(root);
  const smells: Smell[] = [];
  let left = MOST;
  const walk = (schema: Json | undefined, place: Omit<Place, 'references'>): void => {
    if (!isObject(schema) || left < 0) return;
    left = place.depth > DEEPEST ? -1 : left - 1;
    smells.push(...smellsIn(schema, { ...place, references }));
    const base = references.baseOf(schema, place.base);
    for (const [key, inner] of Object.entries(schema)) {
      const below = { ...place, base, at: place.at + pointerOf(key), depth: place.depth + 1 };
      if (NAMED.has(key) && isObject(inner))
        for (const [parameter, one] of Object.entries(inner))
          walk(one, { ...below, at: below.at + pointerOf(parameter), parameter });
      else if (LISTED.has(key) && Array.isArray(inner))
        for (const [index, one] of inner.entries()) walk(one, { ...below, at: `${below.at}/${index}` });
      else if (NESTED.has(key)) walk(inner, below);
    }
  };
  walk(root, { at: top, base: '', parameter: '', depth: 0 });
  if (left < 0)
    smells.push({ severity: 'medium', what: 'has more schemas than are read', at: top, value: MOST });
  if (isBlank(root) && destroys(name, tool))
    smells.push({ severity: 'low', what: 'destroys something and takes anything', at: top, value: root });
  return smells;
}

/** Switches that widen what a call does. */
const WIDENS =
  /^(?:recurs(?:e|ive|ively)|forced?|overwrite|(?:delete|remove)_?all|sudo|as_?root|privileged|unsafe|insecure|no_?verify|skip_?(?:confirm|verif|check|validat)\w*|allow_?(?:dangerous|unsafe|any)\w*|dangerously\w*|auto_?approve|bypass\w*|disable_?(?:security|ssl|tls|auth)\w*|ignore_?(?:ssl|tls|cert)\w*|make_?public)$/i;
/** What a shell would do more with than take it as a word. */
const SHELL =
  /\$\(|`[^`]+`|&&\s*\w|;\s*(?:rm|curl|wget|sh|bash|cat|nc|chmod|sudo)\b|\|\s*(?:sh|bash|nc|sudo)\b|\brm\s+-rf?\b/;
/** A group that repeats, of one thing that repeats already, or of choices that begin alike. */
const ATOM = String.raw`(?:\\.|\[(?:[^\]\\]|\\.)+\]|[^()[\]\\*+?])`;
const RUNAWAY = new RegExp(
  String.raw`\((?:\?:)?${ATOM}[+*](?:${ATOM}[?*])*\)(?:[+*]|\{\d+,\})|\((?:\?:)?(\w+)\|\1[^()]*\)[+*]`,
);
/** Characters of a pattern that are read. */
const LONGEST = 2000;

interface Place {
  readonly at: string;
  /** Address that references are read under. */
  readonly base: string;
  readonly parameter: string;
  readonly depth: number;
  readonly references: References;
}

function smellsIn(schema: JsonObject, { at, base, parameter, references }: Place): Smell[] {
  const { $ref, pattern, required, properties, default: preset } = schema;
  const smells: Smell[] = [];
  const say = (severity: Severity, what: string, key: string): void => {
    smells.push({ severity, what, at: at + pointerOf(key), value: schema[key] ?? null });
  };
  const why =
    $ref === undefined ? null : failing(() => references.resolve($ref, references.baseOf(schema, base)));
  if (why !== null) say('high', `has ${why}: no call of it can be judged`, '$ref');
  if (typeof pattern === 'string') {
    if (pattern.length > LONGEST) say('medium', 'has a pattern that is longer than is read', 'pattern');
    else if (failing(() => compilePattern(pattern)) !== null)
      say('medium', 'has a pattern that no argument can be judged by', 'pattern');
    else if (RUNAWAY.test(pattern))
      say('medium', 'has a pattern that keeps others than this runtime busy', 'pattern');
  }
  const named = isObject(properties) ? properties : {};
  const missing = (Array.isArray(required) ? required : []).filter(
    (one) => !Object.hasOwn(named, String(one)),
  );
  if (missing.length > 0 && isObject(properties))
    say('medium', `requires ${missing.slice(0, 5).join(', ')}, which it does not describe`, 'required');
  if (preset === true && WIDENS.test(parameter))
    say('low', `does more where nothing is said: ${parameter} is set`, 'default');
  for (const key of ['enum', 'const', 'default'] as const)
    if (textsIn(schema[key]).some((text) => SHELL.test(text)))
      say('medium', 'offers a value that a shell would run', key);
  return smells;
}

function textsIn(value: Json | undefined): string[] {
  const all = Array.isArray(value) ? value : [value];
  return all.filter((one) => typeof one === 'string').map((one) => one.slice(0, 2000));
}

/** Why it fails; null where it does not. */
function failing(act: () => unknown): string | null {
  try {
    act();
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** An object without a word of what is in it. */
function isBlank(schema: JsonObject): boolean {
  const { type, properties, additionalProperties } = schema;
  const members = isObject(properties) ? Object.keys(properties).length : 0;
  return (
    type === 'object' && members === 0 && additionalProperties !== undefined && additionalProperties !== false
  );
}
