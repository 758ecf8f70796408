/** Statements of a function in their order: branches apart, loops twice, what was looked at is taken as it should be. */
import { CHECKS } from './apis.ts';
import { classOf } from './classes.ts';
import { evaluate, functionValue } from './evaluate.ts';
import { type Here, spend, stepAt } from './follow.ts';
import { isPlace, type Look, lookedAt, refuses } from './guards.ts';
import { ASKED_FOR } from './handlers.ts';
import { exporting, imports } from './modules.ts';
import { bare, keyOf, type Node } from './parse.ts';
import { bind, checked } from './patterns.ts';
import { NOTHING, stepped, wordsOf } from './value.ts';

/** Characters of an expression that is searched for looks. */
const MAX_LOOK = 500;

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

export function statement(node: Node, here: Here): boolean {
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
      switches(node, here);
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

function switches(node: Extract<Node, { type: 'SwitchStatement' }>, here: Here): void {
  const asked = evaluate(node.discriminant, here).ref === ASKED_FOR;
  for (const { test, consequent } of node.cases) {
    const text = asked && test ? evaluate(test, here).text : '';
    run(consequent, { ...here, tool: text || here.tool });
  }
}

function twice(body: Node, here: Here): boolean {
  statement(body, here);
  statement(body, here);
  return false;
}

function declared(id: Node, init: Node | null, here: Here): void {
  const found = init ? evaluate(init, here) : NOTHING;
  // How a look ended: whoever asks for it has looked.
  const looks = init && answers(init) && found.taints.length === 0 ? lookedAt(init, here.env) : [];
  const value = looks.length > 0 ? { ...found, of: looks.map(({ place }) => place) } : found;
  const step = stepAt(here, id, id.type === 'Identifier' ? id.name : 'taken apart');
  bind(id, stepped(value, step), { here, declare: true, evaluate });
}

/** May this expression say how a look ended? */
const answers = (node: Node): boolean =>
  /^(?:Call|OptionalCall|Binary|Logical|Unary)Expression$/.test(bare(node).type) &&
  (node.end ?? 0) - (node.start ?? 0) < MAX_LOOK;

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
  const looks = lookedAt(node.test, here.env);
  const yes = here.env.branch();
  const no = here.env.branch();
  const mark = (env: Here['env'], which: (look: Look) => boolean): void => {
    for (const look of looks) if (which(look)) checked(look.place, { ...here, env }, evaluate);
  };
  mark(yes, ({ good }) => good);
  const tool = askedFor(node.test, here);
  const ends = statement(node.consequent, { ...here, env: yes, tool });
  const passed = ({ place, good, either }: Look): boolean =>
    !good || (ends && either && refuses(node.consequent, place, here.module.text));
  mark(no, passed);
  const elseEnds = node.alternate ? statement(node.alternate, { ...here, env: no }) : false;
  if (ends && !elseEnds) {
    mark(here.env, passed);
    here.env.merge([no]);
  } else here.env.merge([...(ends ? [] : [yes]), ...(elseEnds ? [] : [no])]);
  return ends && elseEnds;
}

/** `name === 'run'` in a function that is asked for tools by their names. */
function askedFor(test: Node, here: Here): string {
  const inner = bare(test);
  if (inner.type === 'LogicalExpression') return askedFor(inner.left, here);
  if (inner.type !== 'BinaryExpression' || !/^===?$/.test(inner.operator)) return here.tool;
  if (inner.left.type === 'PrivateName' || !isPlace(bare(inner.left))) return here.tool;
  return evaluate(inner.left, here).ref === ASKED_FOR
    ? evaluate(inner.right, here).text || here.tool
    : here.tool;
}
