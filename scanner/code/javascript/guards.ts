/** Looks that code takes at a value before it goes on: allow lists, patterns, comparisons, functions with such names. */
import { CHECKS } from './apis.ts';
import { bare, childrenOf, keyOf, type Node } from './parse.ts';

const LOOKS =
  /^(?:includes|has|test|startsWith|endsWith|match|some|every|indexOf|find|hasOwn|hasOwnProperty|exec|isSafeInteger|isInteger)$/;

/** Names and members that this condition holds against something known. */
export function lookedAt(test: Node): Node[] {
  const found: Node[] = [];
  const open: Node[] = [test];
  for (let node = open.pop(); node; node = open.pop()) {
    const inner = bare(node);
    if (inner.type === 'CallExpression' || inner.type === 'OptionalCallExpression')
      found.push(...ofCall(inner));
    else if (inner.type === 'BinaryExpression' && /^(?:===?|!==?|in)$/.test(inner.operator))
      found.push(...compared(inner));
    if (inner.type !== 'ArrowFunctionExpression' && inner.type !== 'FunctionExpression')
      open.push(...childrenOf(inner));
  }
  return found;
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
  if (!LOOKS.test(name) && !CHECKS.test(name)) return [];
  const places: Node[] = node.arguments.filter((one) => isPlace(bare(one)));
  // `path.startsWith(root)` and `value.match(/…/)` look at their owner.
  if (owner && /^(?:startsWith|endsWith|match)$/.test(name) && isPlace(bare(owner.object)))
    places.push(owner.object);
  return places;
}

function compared({ left, right, operator }: Extract<Node, { type: 'BinaryExpression' }>): Node[] {
  if (operator === 'in') return isPlace(bare(left)) ? [left] : [];
  const known = (node: Node): boolean => node.type === 'StringLiteral' && node.value !== '';
  if (known(bare(right)) && isPlace(bare(left))) return [left];
  return known(bare(left)) && isPlace(bare(right)) ? [right] : [];
}

const isPlace = (node: Node): boolean => node.type === 'Identifier' || node.type === 'MemberExpression';

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
