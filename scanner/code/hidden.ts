/** Code that is written so that people cannot read it. Each is a shape that no compiler or bundler makes. */
import { lineAround, type Mark } from './facts.ts';
import { fold } from './javascript/fold.ts';
import { bare, keyOf, lineOf, type Node, startOf, type Tree, walk } from './javascript/parse.ts';

const OBFUSCATOR_NAMES = 20;
const ESCAPED_TEXTS = 12;
const INVISIBLE = 20;
/** Spaces before a statement on its own line: it stands beyond the edge of any window. */
const PUSHED_SPACES = 200;
const MINIFIED_LINE = 5000;
/** Places of one kind that are told of one file. */
const MOST_OF_A_KIND = 20;
const PACKED = /\beval\s*\(\s*function\s*\(\s*p\s*,\s*a\s*,\s*c\s*,\s*k/;
/** Private-use planes and variation selectors carry bytes that no editor shows. */
const UNSEEN = /[\u{E0100}-\u{E01EF}\u{FE00}-\u{FE0F}\u{E0000}-\u{E007F}\u200b\u200c\u2060\u3164\uffa0]/gu;

/** Written for machines alone, as bundlers and minifiers do: no mark of anything, but no person has read it. */
export function isMinified(text: string): boolean {
  if (text.length < 2000) return false;
  let longest = 0;
  let lines = 0;
  for (let from = 0; from <= text.length; lines++) {
    const end = text.indexOf('\n', from);
    const to = end === -1 ? text.length : end;
    longest = Math.max(longest, to - from);
    from = to + 1;
  }
  return longest > MINIFIED_LINE || text.length / lines > 400;
}

/** What can be seen of the text alone. */
export function hiddenInText(path: string, text: string): Mark[] {
  const marks: Mark[] = [];
  const at = (kind: string, index: number): void => {
    const line = text.slice(0, index).split('\n').length;
    marks.push({ kind, grave: true, path, line, excerpt: lineAround(text, index) });
  };
  const packed = PACKED.exec(text);
  if (packed) at('code packed into a text that it runs', packed.index);
  if (text.length > 1000 && share(text, /[[\]()!+]/g) > 0.9) at('code of six signs', 0);
  return marks;
}

function share(text: string, pattern: RegExp): number {
  const part = text.slice(0, 100_000);
  return (part.match(pattern)?.length ?? 0) / part.replace(/\s/g, '').length;
}

interface Seen {
  readonly names: Set<string>;
  firstName: Node | null;
  escaped: number;
  firstEscaped: Node | null;
}

/** What can be seen of the tree. */
export function hiddenIn(path: string, text: string, tree: Tree): Mark[] {
  const marks = hiddenInText(path, text);
  const mark = (kind: string, node: Node): void => {
    const line = lineOf(node);
    const same = marks.filter((one) => one.kind === kind);
    if (same.length >= MOST_OF_A_KIND || same.some((one) => one.line === line)) return;
    marks.push({ kind, grave: true, path, line, excerpt: lineAround(text, startOf(node)) });
  };
  const seen: Seen = { names: new Set(), firstName: null, escaped: 0, firstEscaped: null };
  for (const node of walk(tree.program)) {
    if (node.type === 'Identifier') note(seen, node);
    else if (node.type === 'StringLiteral' || node.type === 'TemplateElement') literal(seen, node, mark);
    else if (node.type === 'CallExpression' || node.type === 'NewExpression') decodedCode(node, mark);
    else if (node.type.endsWith('Statement') || node.type === 'VariableDeclaration') pushed(text, node, mark);
  }
  if (seen.firstName && seen.names.size >= OBFUSCATOR_NAMES)
    mark('names that an obfuscator gave', seen.firstName);
  if (seen.firstEscaped && seen.escaped >= ESCAPED_TEXTS)
    mark('plain words written as escapes', seen.firstEscaped);
  return marks;
}

function note(seen: Seen, node: Extract<Node, { type: 'Identifier' }>): void {
  if (!/^_0x[0-9a-f]{3,8}$/.test(node.name)) return;
  seen.names.add(node.name);
  seen.firstName ??= node;
}

type Marker = (kind: string, node: Node) => void;

function literal(
  seen: Seen,
  node: Extract<Node, { type: 'StringLiteral' | 'TemplateElement' }>,
  mark: Marker,
): void {
  const value = node.type === 'StringLiteral' ? node.value : (node.value.cooked ?? '');
  const raw = node.type === 'StringLiteral' ? String(node.extra?.raw ?? '') : node.value.raw;
  if (value.length >= 4 && raw.length > value.length * 3 && /^[\x20-\x7e]+$/.test(value)) {
    const escapes = raw.match(/\\x[2-7][0-9a-f]|\\u00[2-7][0-9a-f]|\\u\{[2-7][0-9a-f]\}/gi)?.length ?? 0;
    if (escapes >= value.length * 0.8 && /[a-z]{3}/i.test(value)) {
      seen.escaped++;
      seen.firstEscaped ??= node;
    }
  }
  if (value.length >= INVISIBLE && unseen(value)) mark('text of characters that are not shown', node);
}

/** Invisible characters that stand together: emoji have one each, an encoded program has hundreds. */
function unseen(value: string): boolean {
  const runs = value.match(UNSEEN)?.length ?? 0;
  return runs >= INVISIBLE && runs > [...value].length / 2;
}

const RUNS = /^(?:eval|Function|runInThisContext|runInNewContext|compileFunction)$/;

/** A text that is decoded and run at once: `eval(atob('…'))`, and every such way round. */
function decodedCode(node: Extract<Node, { type: 'CallExpression' | 'NewExpression' }>, mark: Marker): void {
  const callee = bare(node.callee);
  const name =
    callee.type === 'Identifier'
      ? callee.name
      : callee.type === 'MemberExpression'
        ? (keyOf(callee.property, callee.computed) ?? fold(callee.property)?.text ?? '')
        : '';
  if (!RUNS.test(name)) return;
  const last = node.arguments.at(-1);
  if (last && (fold(last)?.decoded || decodes(bare(last))))
    mark('text that is decoded and run as code', node);
}

function decodes(node: Node, depth = 0): boolean {
  if (node.type !== 'CallExpression' || depth > 4) return false;
  const callee = bare(node.callee);
  const [first, second] = node.arguments;
  if (callee.type === 'Identifier') return callee.name === 'atob' || callee.name === 'unescape';
  if (callee.type !== 'MemberExpression') return false;
  const name = keyOf(callee.property, callee.computed);
  if (name === 'fromCharCode') return true;
  if (name === 'from' && second && first)
    return second.type === 'StringLiteral' && /^(?:base64|base64url|hex)$/.test(second.value);
  return /^(?:toString|join|map|reverse)$/.test(name ?? '') && decodes(bare(callee.object), depth + 1);
}

/** Code to the right of so many spaces that a person who scrolls down never sees it. */
function pushed(text: string, node: Node, mark: Marker): void {
  const start = startOf(node);
  const column = node.loc?.start.column ?? 0;
  if (column < PUSHED_SPACES) return;
  const before = text.slice(start - PUSHED_SPACES, start);
  if (/^[ \t\u00a0\u3000]+$/.test(before)) mark('code pushed out of sight by spaces', node);
}
