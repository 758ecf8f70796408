/** Looks that code takes at a value before it goes on: allow lists, patterns, comparisons, functions with such names. */
import { CHECKS, PARSES } from './apis.ts';
import { bare, childrenOf, keyOf, type Node } from './parse.ts';
import type { Env } from './value.ts';

const LOOKS =
  /^(?:includes|has|test|startsWith|endsWith|match|some|every|indexOf|find|hasOwn|hasOwnProperty|exec|isSafeInteger|isInteger)$/;

/** A place that a condition holds against something known. */
export interface Look {
  readonly place: Node;
  /** Is it as it should be where the condition holds, or where it does not? */
  readonly good: boolean;
  /** Looked at by a function: where that says no, it may as well be a list of what is refused. */
  readonly either: boolean;
}

/** Names and members that this condition holds against something known. */
export function lookedAt(test: Node, env: Env): Look[] {
  const found: Look[] = [];
  const open: [Node, boolean][] = [[test, true]];
  for (let next = open.pop(); next; next = open.pop()) {
    const inner = bare(next[0]);
    const good = inner.type === 'UnaryExpression' && inner.operator === '!' ? !next[1] : next[1];
    const take = (places: readonly Node[], how: Omit<Look, 'place'>): void =>
      void found.push(...places.map((place) => ({ place, ...how })));
    if (inner.type === 'CallExpression' || inner.type === 'OptionalCallExpression')
      take(ofCall(inner), { good, either: true });
    else if (inner.type === 'Identifier') take(answeredBy(inner.name, env), { good, either: false });
    else if (inner.type === 'BinaryExpression' && /^(?:===?|!==?|in)$/.test(inner.operator))
      take(compared(inner), { good: inner.operator.startsWith('!') ? !good : good, either: false });
    if (inner.type !== 'ArrowFunctionExpression' && inner.type !== 'FunctionExpression')
      open.push(...childrenOf(inner).map((one): [Node, boolean] => [one, good]));
    else if (inner.body.type !== 'BlockStatement') open.push([inner.body, good]);
  }
  return found;
}

/** Does what follows such a look refuse? It throws, or answers without what was looked at. */
export function refuses(consequent: Node, place: Node, text: string): boolean {
  const last = consequent.type === 'BlockStatement' ? consequent.body.at(-1) : consequent;
  if (last?.type !== 'ReturnStatement') return true;
  const said = (node: Node): string => text.slice(node.start ?? 0, node.end ?? 0);
  return !last.argument || !said(last.argument).includes(said(place));
}

/** `const allowed = ROOTS.some((root) => path.startsWith(root)); if (!allowed) …`: a name that says how a look ended. */
function answeredBy(name: string, env: Env): readonly Node[] {
  const value = env.get(name);
  return value && value.taints.length === 0 ? value.of : [];
}

/** Places that stand in an argument as they are. */
export function placesIn(node: Node): Node[] {
  const inner = bare(node);
  if (isPlace(inner)) return [inner];
  if (inner.type === 'CallExpression' || inner.type === 'NewExpression')
    return inner.arguments.flatMap(placesIn);
  return inner.type === 'TemplateLiteral' ? inner.expressions.flatMap(placesIn) : [];
}

function ofCall(node: Extract<Node, { type: 'CallExpression' | 'OptionalCallExpression' }>): Node[] {
  const callee = bare(node.callee);
  const owner =
    callee.type === 'MemberExpression' || callee.type === 'OptionalMemberExpression' ? callee : null;
  const name = owner
    ? (keyOf(owner.property, owner.computed) ?? '')
    : callee.type === 'Identifier'
      ? callee.name
      : '';
  // What a schema takes is known by its words.
  if (PARSES.test(name) || (!LOOKS.test(name) && !CHECKS.test(name))) return [];
  const places: Node[] = node.arguments.filter((one) => isPlace(bare(one)));
  if (!owner || !/^(?:startsWith|endsWith|match)$/.test(name) || !isPlace(bare(owner.object))) return places;
  // `path.startsWith(root)` and `value.match(/…/)` look at their owner. `/data` begins `/data-of-others` as well.
  return name === 'startsWith' && openEnded(node.arguments[0]) ? [] : [owner.object];
}

/** A name alone, which is a folder without the separator behind it. Names that say otherwise are believed. */
function openEnded(node: Node | undefined): boolean {
  const inner = node && bare(node);
  const name =
    inner?.type === 'Identifier'
      ? inner.name
      : inner?.type === 'MemberExpression'
        ? keyOf(inner.property, inner.computed)
        : null;
  return (
    typeof name === 'string' && /dir|root|folder|base|path/i.test(name) && !/prefix|sep|slash/i.test(name)
  );
}

function compared({ left, right, operator }: Extract<Node, { type: 'BinaryExpression' }>): Node[] {
  if (operator === 'in') return isPlace(bare(left)) ? [left] : [];
  const known = (node: Node): boolean => node.type === 'StringLiteral' && node.value !== '';
  if (known(bare(right)) && isPlace(bare(left))) return [left];
  return known(bare(left)) && isPlace(bare(right)) ? [right] : [];
}

export const isPlace = (node: Node): boolean =>
  node.type === 'Identifier' || node.type === 'MemberExpression';

/** Parameters of a schema that cannot be any text: numbers, choices, patterns; in zod's words or in JSON Schema's. */
export function narrowIn(schema: Node, text: string): ReadonlySet<string> {
  const names = new Set<string>();
  const object = propertiesOf(schema, text);
  if (object?.type !== 'ObjectExpression') return names;
  for (const property of object.properties) {
    if (property.type !== 'ObjectProperty') continue;
    const name = keyOf(property.key, property.computed);
    const written = text.slice(property.value.start ?? 0, property.value.end ?? 0);
    if (name !== null && NARROW.test(written.slice(0, 2000))) names.add(name);
  }
  return names;
}

const NARROW =
  /\.(?:number|int|boolean|enum|nativeEnum|literal|bigint|date|uuid|regex|datetime|ip|cidr|email)\s*\(|["']?\btype["']?\s*:\s*["'](?:number|integer|boolean)["']|["']?\b(?:enum|const|pattern)["']?\s*:/;

/** `{a: z.string()}`, `z.object({…})` and `{type: 'object', properties: {…}}` alike. */
function propertiesOf(node: Node, text: string, depth = 0): Node | null {
  const inner = bare(node);
  if (depth > 6) return null;
  if (inner.type === 'CallExpression') {
    const [first] = inner.arguments;
    const callee = bare(inner.callee);
    if (first && bare(first).type === 'ObjectExpression') return propertiesOf(first, text, depth + 1);
    return callee.type === 'MemberExpression' ? propertiesOf(callee.object, text, depth + 1) : null;
  }
  if (inner.type !== 'ObjectExpression') return null;
  for (const property of inner.properties)
    if (property.type === 'ObjectProperty' && keyOf(property.key, property.computed) === 'properties')
      return bare(property.value);
  return inner;
}
