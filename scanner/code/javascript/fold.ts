/** Text that code makes of nothing but constants: joined pieces, character codes, reversed and encoded strings. */
import { bare, keyOf, type Node } from './parse.ts';

const MAX_TEXT = 1_000_000;
const DEPTH = 40;

export interface Folded {
  readonly text: string;
  /** It had to be decoded: it does not stand in the file as people would read it. */
  readonly decoded: boolean;
}

/** The text that this node always is; null where it depends on anything else. */
export function fold(node: Node, depth = 0): Folded | null {
  if (depth > DEPTH) return null;
  const inner = bare(node);
  if (inner.type === 'StringLiteral') return plain(inner.value);
  if (inner.type === 'TemplateLiteral') return foldTemplate(inner, depth);
  if (inner.type === 'BinaryExpression' && inner.operator === '+') return foldSum(inner, depth);
  if (inner.type === 'CallExpression' || inner.type === 'OptionalCallExpression')
    return foldCall(inner, depth);
  return null;
}

const plain = (text: string): Folded => ({ text, decoded: false });

function foldTemplate(node: Extract<Node, { type: 'TemplateLiteral' }>, depth: number): Folded | null {
  let text = '';
  let decoded = false;
  for (const [at, quasi] of node.quasis.entries()) {
    text += quasi.value.cooked ?? '';
    const hole = node.expressions[at];
    if (!hole) continue;
    const inside = fold(hole, depth + 1);
    if (!inside || text.length + inside.text.length > MAX_TEXT) return null;
    text += inside.text;
    decoded ||= inside.decoded;
  }
  return { text, decoded };
}

/** A long sum leans to the left: it is followed down, not called into. */
function foldSum(node: Extract<Node, { type: 'BinaryExpression' }>, depth: number): Folded | null {
  const pieces: string[] = [];
  let decoded = false;
  let size = 0;
  let left: Node = node;
  const take = (piece: Folded | null): boolean => {
    if (!piece) return false;
    size += piece.text.length;
    pieces.push(piece.text);
    decoded ||= piece.decoded;
    return size <= MAX_TEXT;
  };
  while (left.type === 'BinaryExpression' && left.operator === '+') {
    if (!take(fold(left.right, depth + 1))) return null;
    left = bare(left.left);
  }
  if (!take(fold(left, depth + 1))) return null;
  return { text: pieces.reverse().join(''), decoded };
}

type Call = Extract<Node, { type: 'CallExpression' | 'OptionalCallExpression' }>;

function foldCall(node: Call, depth: number): Folded | null {
  const callee = bare(node.callee);
  const [first, second] = node.arguments;
  if (callee.type === 'Identifier' && callee.name === 'atob' && first)
    return decode(fold(first, depth + 1), 'base64');
  if (callee.type !== 'MemberExpression' && callee.type !== 'OptionalMemberExpression') return null;
  const name = keyOf(callee.property, callee.computed);
  const owner = bare(callee.object);
  const ownerName = owner.type === 'Identifier' ? owner.name : null;
  if (name === 'atob' && first) return decode(fold(first, depth + 1), 'base64');
  if (name === 'fromCharCode' && ownerName === 'String') return fromCodes(node.arguments);
  if (name === 'from' && ownerName === 'Buffer' && first) {
    if (first.type === 'ArrayExpression') return fromCodes(first.elements.filter((one) => one !== null));
    const how = second ? fold(second, depth + 1)?.text : undefined;
    return how === 'base64' || how === 'hex' || how === 'base64url'
      ? decode(fold(first, depth + 1), how)
      : null;
  }
  if (name === 'toString') return folds(fold(owner, depth + 1), (text) => text);
  if (name === 'join') return joined(owner, first, depth);
  return null;
}

function folds(value: Folded | null, change: (text: string) => string): Folded | null {
  return value && { text: change(value.text), decoded: value.decoded };
}

function decode(value: Folded | null, encoding: 'base64' | 'base64url' | 'hex'): Folded | null {
  return value && { text: Buffer.from(value.text, encoding).toString('utf8'), decoded: true };
}

function fromCodes(nodes: readonly Node[]): Folded | null {
  if (nodes.length === 0 || nodes.length > 100_000) return null;
  const codes = nodes.map((node) => (node.type === 'NumericLiteral' ? node.value : Number.NaN));
  if (codes.some((code) => !Number.isInteger(code) || code < 0 || code > 0xffff)) return null;
  return { text: codes.map((code) => String.fromCharCode(code)).join(''), decoded: true };
}

/** `['a', 'b'].join('')`, and the same turned round first. */
function joined(owner: Node, separator: Node | undefined, depth: number): Folded | null {
  const between = separator ? fold(separator, depth + 1)?.text : ',';
  if (between === undefined) return null;
  if (owner.type === 'CallExpression') {
    const callee = bare(owner.callee);
    if (callee.type !== 'MemberExpression' || keyOf(callee.property, callee.computed) !== 'reverse')
      return null;
    const inner = bare(callee.object);
    if (inner.type === 'ArrayExpression') return ofArray(inner, { between, turned: true }, depth);
    return reversedSplit(inner, between, depth);
  }
  return owner.type === 'ArrayExpression' ? ofArray(owner, { between, turned: false }, depth) : null;
}

interface Joining {
  readonly between: string;
  readonly turned: boolean;
}

function ofArray(
  node: Extract<Node, { type: 'ArrayExpression' }>,
  { between, turned }: Joining,
  depth: number,
): Folded | null {
  if (node.elements.length === 0 || node.elements.length > 10_000) return null;
  const pieces: string[] = [];
  for (const element of node.elements) {
    const piece = element ? fold(element, depth + 1) : null;
    if (!piece) return null;
    pieces.push(piece.text);
  }
  return { text: (turned ? pieces.reverse() : pieces).join(between), decoded: turned };
}

/** `'olleh'.split('').reverse().join('')`. */
function reversedSplit(inner: Node, between: string, depth: number): Folded | null {
  if (inner.type !== 'CallExpression' || between !== '') return null;
  const callee = bare(inner.callee);
  if (callee.type !== 'MemberExpression' || keyOf(callee.property, callee.computed) !== 'split') return null;
  const text = fold(callee.object, depth + 1)?.text;
  return text === undefined ? null : { text: [...text].reverse().join(''), decoded: true };
}
