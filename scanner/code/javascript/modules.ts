/** What modules take from each other and give away. */
import { classOf } from './classes.ts';
import { evaluate } from './evaluate.ts';
import type { Here } from './follow.ts';
import { keyOf, type Node } from './parse.ts';
import { statement } from './statements.ts';
import { NOTHING, refValue, type Value } from './value.ts';

export function imports(node: Extract<Node, { type: 'ImportDeclaration' }>, here: Here): void {
  for (const one of node.specifiers) {
    const name =
      one.type === 'ImportSpecifier'
        ? (keyOf(one.imported, false) ?? '')
        : one.type === 'ImportDefaultSpecifier'
          ? 'default'
          : '*';
    here.env.declare(one.local.name, importedValue(node.source.value, name, here));
  }
}

/** A member of a module: of this package by following it, of any other by its name. */
export function importedValue(source: string, name: string, { all, module }: Here): Value {
  if (!source.startsWith('.')) {
    const ref = source.replace(/^node:/, '');
    return refValue(name === '*' || name === 'default' ? ref : `${ref}.${name}`);
  }
  const other = all.load(module.path, source);
  if (!other) return NOTHING;
  if (name === '*') return { ...NOTHING, fields: other.exports };
  return other.exports.get(name) ?? (name === 'default' ? { ...NOTHING, fields: other.exports } : NOTHING);
}

type Exporting = Extract<
  Node,
  { type: 'ExportNamedDeclaration' | 'ExportDefaultDeclaration' | 'ExportAllDeclaration' }
>;

export function exporting(node: Exporting, here: Here): void {
  const { exports } = here.module;
  if (node.type === 'ExportAllDeclaration') {
    for (const [name, value] of importedValue(node.source.value, '*', here).fields ?? [])
      exports.set(name, value);
    return;
  }
  if (node.type === 'ExportDefaultDeclaration') {
    const { declaration } = node;
    if (declaration.type === 'FunctionDeclaration') return;
    exports.set(
      'default',
      declaration.type === 'ClassDeclaration' ? classOf(declaration, here) : evaluate(declaration, here),
    );
    return;
  }
  if (node.declaration) {
    statement(node.declaration, here);
    if (node.declaration.type === 'VariableDeclaration')
      for (const { id } of node.declaration.declarations)
        if (id.type === 'Identifier') exports.set(id.name, here.env.get(id.name) ?? NOTHING);
    if (node.declaration.type === 'ClassDeclaration' && node.declaration.id)
      exports.set(node.declaration.id.name, here.env.get(node.declaration.id.name) ?? NOTHING);
  }
  for (const one of node.specifiers) {
    if (one.type !== 'ExportSpecifier') continue;
    const name = keyOf(one.exported, false) ?? '';
    const local = keyOf(one.local, false) ?? '';
    exports.set(
      name,
      node.source ? importedValue(node.source.value, local, here) : (here.env.get(local) ?? NOTHING),
    );
  }
}
