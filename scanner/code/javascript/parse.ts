/** JavaScript and TypeScript as a tree, by Babel's parser: it is JavaScript itself, so hostile text ends in an error. */
import { type ParserOptions, parse } from '@babel/parser';
import type { Node } from '@babel/types';

export type { Node } from '@babel/types';
export type Tree = ReturnType<typeof parse>;

/** Lenient where engines differ: what any engine would run is read. */
const OPTIONS: ParserOptions = {
  errorRecovery: true,
  attachComment: false,
  allowReturnOutsideFunction: true,
  allowAwaitOutsideFunction: true,
  allowImportExportEverywhere: true,
  allowUndeclaredExports: true,
  allowSuperOutsideMethod: true,
  allowNewTargetOutsideFunction: true,
};
const TYPED = /\.[cm]?tsx?$/;

/** Throws what the parser throws: a syntax error, or too deep a nesting. */
export function parseCode(path: string, text: string): Tree {
  const dialects: NonNullable<ParserOptions['plugins']>[] = TYPED.test(path)
    ? [
        ['typescript', 'decorators'],
        ['typescript', 'jsx', 'decorators'],
      ]
    : [
        ['jsx', 'decorators'],
        ['flow', 'jsx', 'decorators'],
      ];
  for (const plugins of dialects) {
    for (const sourceType of ['unambiguous', 'script'] as const) {
      try {
        return parse(text, { ...OPTIONS, plugins, sourceType });
      } catch (error) {
        if (error instanceof RangeError) throw error;
      }
    }
  }
  return parse(text, { ...OPTIONS, plugins: ['typescript'], sourceType: 'unambiguous' });
}

/** Not part of what runs: places, comments, and what the parser remembers of its own work. */
const ASIDE = new Set(['loc', 'start', 'end', 'range', 'extra', 'errors', 'comments', 'tokens', 'type']);

function isNode(value: unknown): value is Node {
  return (
    value !== null && typeof value === 'object' && typeof (value as { type?: unknown }).type === 'string'
  );
}

export function childrenOf(node: Node): Node[] {
  const found: Node[] = [];
  // Every node of every file passes here: an array of pairs for each would cost more than all else.
  for (const key in node) {
    if (ASIDE.has(key)) continue;
    const value: unknown = node[key as keyof Node];
    if (Array.isArray(value)) {
      for (const one of value) if (isNode(one)) found.push(one);
    } else if (isNode(value)) found.push(value);
  }
  return found;
}

/** Every node in the order of the text, without recursion: nesting costs memory alone. Types are left out. */
export function* walk(root: Node): Generator<Node> {
  const open: Node[] = [root];
  for (let node = open.pop(); node; node = open.pop()) {
    if (
      node.type.startsWith('TS') &&
      !/^TS(?:As|Non|Satisfies|TypeAssertion|Enum|Export|Import|Module|Param)/.test(node.type)
    )
      continue;
    yield node;
    const children = childrenOf(node);
    for (let at = children.length - 1; at >= 0; at--) {
      const child = children[at];
      if (child) open.push(child);
    }
  }
}

export function lineOf(node: Node): number {
  return node.loc?.start.line ?? 0;
}

export function startOf(node: Node): number {
  return node.start ?? 0;
}

/** The node without what surrounds it for types, waiting or grouping. */
export function bare(node: Node): Node {
  let inner = node;
  for (;;) {
    if (inner.type === 'AwaitExpression') inner = inner.argument;
    else if (
      inner.type === 'TSAsExpression' ||
      inner.type === 'TSNonNullExpression' ||
      inner.type === 'TSSatisfiesExpression' ||
      inner.type === 'TSTypeAssertion' ||
      inner.type === 'ParenthesizedExpression'
    )
      inner = inner.expression;
    else if (inner.type === 'SequenceExpression') {
      const last = inner.expressions.at(-1);
      if (!last) return inner;
      inner = last;
    } else return inner;
  }
}

/** Name of a member or key as far as it is written; null where it is computed. */
export function keyOf(node: Node, computed: boolean): string | null {
  if (node.type === 'StringLiteral') return node.value;
  if (node.type === 'NumericLiteral') return String(node.value);
  if (computed) return null;
  if (node.type === 'Identifier') return node.name;
  return node.type === 'PrivateName' ? `#${node.id.name}` : null;
}
