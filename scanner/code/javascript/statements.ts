/** Statements of a function in their order: branches apart, loops twice, what was looked at is taken as it should be. */
import { CHECKS } from './apis.ts';
import { evaluate, functionValue } from './evaluate.ts';
import { type Here, spend, stepAt } from './follow.ts';
import { lookedAt } from './guards.ts';
import { bare, keyOf, type Node } from './parse.ts';
import { bind, checked } from './patterns.ts';
import { NOTHING, refValue, stepped, type Value, wordsOf } from './value.ts';

/** Runs a list of statements. True where nothing after it is reached. */
export function run(statements: readonly Node[], here: Here): boolean {
  for (const one of statements) hoist(one, here);
  let ends = false;
  for (const one of statements) ends = statement(one, here) || ends;
  return ends;
}

/** Functions are there before the line that makes them. */
function hoist(node: Node, here: Here): void {
  const inner =
    (node.type === 'ExportNamedDeclaration' || node.type === 'ExportDefaultDeclaration') && node.declaration
      ? node.declaration
      : node;
  if (inner.type !== 'FunctionDeclaration') return;
  const value = functionValue(inner, here);
  if (inner.id) here.env.declare(inner.id.name, value);
  if (node.type === 'ExportDefaultDeclaration') here.module.exports.set('default', value);
  else if (node.type === 'ExportNamedDeclaration' && inner.id) here.module.exports.set(inner.id.name, value);
}

function statement(node: Node, here: Here): boolean {
  spend(here);
  switch (node.type) {
    case 'ExpressionStatement':
      expression(node.expression, here);
      return false;
    case 'VariableDeclaration':
      for (const { id, init } of node.declarations) declared(id, init ?? null, here);
      return false;
    case 'ReturnStatement':
      if (node.argument) here.returns.push(evaluate(node.argument, here));
      return true;
    case 'ThrowStatement':
      evaluate(node.argument, here);
      return true;
    case 'BreakStatement':
    case 'ContinueStatement':
      return true;
    case 'BlockStatement':
    case 'Program':
    case 'StaticBlock':
      return run(node.body, here);
    case 'IfStatement':
      return choice(node, here);
    case 'ClassDeclaration': {
      const value = classOf(node, here);
      if (node.id) here.env.declare(node.id.name, value);
      return false;
    }
    case 'LabeledStatement':
      return statement(node.body, here);
    default:
      return around(node, here);
  }
}

/** Loops, attempts, choices and modules: all that is inside may happen. */
function around(node: Node, here: Here): boolean {
  switch (node.type) {
    case 'ForOfStatement':
    case 'ForInStatement': {
      const value = wordsOf([evaluate(node.right, here)]);
      const target = node.left.type === 'VariableDeclaration' ? node.left.declarations[0]?.id : node.left;
      if (target) bind(target, value, { here, declare: node.left.type === 'VariableDeclaration', evaluate });
      return twice(node.body, here);
    }
    case 'ForStatement':
      if (node.init) statement(node.init, here);
      if (node.test) evaluate(node.test, here);
      return twice(node.body, here);
    case 'WhileStatement':
    case 'DoWhileStatement':
      evaluate(node.test, here);
      return twice(node.body, here);
    case 'TryStatement': {
      statement(node.block, here);
      if (node.handler) statement(node.handler.body, here);
      if (node.finalizer) statement(node.finalizer, here);
      return false;
    }
    case 'SwitchStatement':
      evaluate(node.discriminant, here);
      for (const { consequent } of node.cases) run(consequent, here);
      return false;
    case 'ImportDeclaration':
      imports(node, here);
      return false;
    case 'ExportNamedDeclaration':
    case 'ExportDefaultDeclaration':
    case 'ExportAllDeclaration':
      exporting(node, here);
      return false;
    default:
      if (!node.type.endsWith('Declaration')) evaluate(node, here);
      return false;
  }
}

function twice(body: Node, here: Here): boolean {
  statement(body, here);
  statement(body, here);
  return false;
}

function declared(id: Node, init: Node | null, here: Here): void {
  const value = init ? evaluate(init, here) : NOTHING;
  const step = stepAt(here, id, id.type === 'Identifier' ? id.name : 'taken apart');
  bind(id, stepped(value, step), { here, declare: true, evaluate });
}

/** `assertSafe(x);` alone on its line: what it looked at is taken as it should be afterwards. */
function expression(node: Node, here: Here): void {
  evaluate(node, here);
  const call = bare(node);
  if (call.type !== 'CallExpression') return;
  const callee = bare(call.callee);
  const name =
    callee.type === 'Identifier'
      ? callee.name
      : callee.type === 'MemberExpression'
        ? (keyOf(callee.property, callee.computed) ?? '')
        : '';
  if (CHECKS.test(name)) for (const one of call.arguments) checked(one, here, evaluate);
}

function choice(node: Extract<Node, { type: 'IfStatement' }>, here: Here): boolean {
  evaluate(node.test, here);
  const places = lookedAt(node.test);
  const yes = here.env.branch();
  const no = here.env.branch();
  const negated = node.test.type === 'UnaryExpression' && node.test.operator === '!';
  if (!negated) for (const place of places) checked(place, { ...here, env: yes }, evaluate);
  const ends = statement(node.consequent, { ...here, env: yes });
  if (ends) for (const place of places) checked(place, { ...here, env: no }, evaluate);
  const elseEnds = node.alternate ? statement(node.alternate, { ...here, env: no }) : false;
  if (ends && !elseEnds) {
    for (const place of places) checked(place, here, evaluate);
    here.env.merge([no]);
  } else here.env.merge([...(ends ? [] : [yes]), ...(elseEnds ? [] : [no])]);
  return ends && elseEnds;
}

function imports(node: Extract<Node, { type: 'ImportDeclaration' }>, here: Here): void {
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

function exporting(node: Exporting, here: Here): void {
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

type Class = Extract<Node, { type: 'ClassDeclaration' | 'ClassExpression' }>;

/** A class as one object that all its methods share. */
export function classOf(node: Class, here: Here): Value {
  const fields = new Map<string, Value>();
  const self: Value = { ...NOTHING, fields };
  for (const item of node.body.body) {
    if (item.type === 'ClassMethod' || item.type === 'ClassPrivateMethod') {
      const key =
        item.type === 'ClassMethod' ? keyOf(item.key, item.computed === true) : `#${item.key.id.name}`;
      fields.set(key ?? '?', functionValue(item, here, self));
    } else if ((item.type === 'ClassProperty' || item.type === 'ClassPrivateProperty') && item.value) {
      const key =
        item.type === 'ClassProperty' ? keyOf(item.key, item.computed === true) : `#${item.key.id.name}`;
      fields.set(key ?? '?', evaluate(item.value, { ...here, env: thisIn(here, self) }));
    }
  }
  return self;
}

export function thisIn({ env }: Here, self: Value): Here['env'] {
  const inner = env.branch();
  inner.declare('this', self);
  return inner;
}
