/** What JavaScript can reach, out of its tree: modules, hosts, variables, programs, code made at run time. */
import { type Capability, lineAround, type Use } from '../facts.ts';
import { hostsIn, MODULES, mailIn, privateFileIn } from '../words.ts';
import { type Folded, fold } from './fold.ts';
import { bare, keyOf, lineOf, type Node, startOf, type Tree, walk } from './parse.ts';

type Sighting = readonly [Capability, string, Node];

const GLOBALS = new Set(['fetch', 'WebSocket', 'EventSource', 'XMLHttpRequest']);
const TIMERS = new Set(['setTimeout', 'setInterval']);
const BINDINGS = new Set(['binding', '_linkedBinding', 'dlopen']);
const CLIENTS = /^@modelcontextprotocol\/(?:sdk\/client\/(?:streamableHttp|sse|websocket)(?:\.js)?|client)$/;
const TRANSPORTS = /^(?:StreamableHTTP|SSE|WebSocket)ClientTransport$/;

/** Every capability once per file, at its first place. */
export function usesOf(path: string, text: string, tree: Tree): Use[] {
  const uses = new Map<string, Use>();
  const own = declaredIn(tree);
  const builtins = builtinsIn(tree);
  for (const node of walk(tree.program)) {
    for (const [capability, what, at] of [...sightings(node, own), ...replaced(node, builtins)]) {
      const key = `${capability} ${what}`;
      if (uses.has(key)) continue;
      uses.set(key, { capability, what, path, line: lineOf(at), excerpt: lineAround(text, startOf(at)) });
    }
  }
  return [...uses.values()];
}

/** Names of globals that this file gives a meaning of its own. */
function declaredIn(tree: Tree): ReadonlySet<string> {
  const own = new Set<string>();
  const note = (node: Node | null | undefined): void => {
    if (
      node?.type === 'Identifier' &&
      (GLOBALS.has(node.name) || node.name === 'eval' || TIMERS.has(node.name))
    )
      own.add(node.name);
  };
  for (const statement of tree.program.body) {
    if (statement.type === 'FunctionDeclaration' || statement.type === 'ClassDeclaration') note(statement.id);
    if (statement.type === 'VariableDeclaration') for (const { id } of statement.declarations) note(id);
  }
  return own;
}

/** Modules of Node whose members nobody else has any business to replace. */
const GUARDED = /^(?:node:)?(?:https?|http2|net|tls|dns|fs|fs\/promises|child_process|module|vm)$/;

/** Names of such modules in this file. */
function builtinsIn(tree: Tree): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  for (const statement of tree.program.body) {
    if (statement.type === 'ImportDeclaration' && GUARDED.test(statement.source.value))
      for (const { type, local } of statement.specifiers)
        if (type !== 'ImportSpecifier') names.set(local.name, statement.source.value);
    if (statement.type === 'VariableDeclaration')
      for (const { id, init } of statement.declarations) {
        const call = init ? bare(init) : null;
        const [first] = call?.type === 'CallExpression' ? call.arguments : [];
        if (id.type === 'Identifier' && first?.type === 'StringLiteral' && GUARDED.test(first.value))
          names.set(id.name, first.value);
      }
  }
  return names;
}

/** `http.request = mine`: what every other module calls from now on. */
function* replaced(node: Node, builtins: ReadonlyMap<string, string>): Generator<Sighting> {
  if (node.type !== 'AssignmentExpression' || node.left.type !== 'MemberExpression') return;
  const path: string[] = [];
  let owner: Node = node.left;
  for (; owner.type === 'MemberExpression'; owner = owner.object)
    path.unshift(keyOf(owner.property, owner.computed) ?? '?');
  if (owner.type !== 'Identifier') return;
  const module = builtins.get(owner.name);
  const global = /^(?:globalThis|global|window|self)$/.test(owner.name) && GLOBALS.has(path[0] ?? '');
  const method = GLOBALS.has(owner.name) && path[0] === 'prototype';
  if (module !== undefined)
    yield ['dynamic code', `replaces ${module.replace(/^node:/, '')}.${path.join('.')}`, node];
  else if (global || method)
    yield ['dynamic code', `replaces ${[...(method ? [owner.name] : []), ...path].join('.')}`, node];
}

function* sightings(node: Node, own: ReadonlySet<string>): Generator<Sighting> {
  switch (node.type) {
    case 'ImportDeclaration':
      if (node.importKind !== 'type') yield* imported(node.source.value, node);
      for (const { type, local } of node.specifiers)
        if (type === 'ImportSpecifier' && CLIENTS.test(node.source.value) && TRANSPORTS.test(local.name))
          yield ['remote server', local.name, node];
      return;
    case 'ExportNamedDeclaration':
    case 'ExportAllDeclaration':
      if (node.source) yield* imported(node.source.value, node);
      return;
    case 'ImportExpression':
      yield* importedBy(node.source, node, true);
      return;
    case 'CallExpression':
    case 'OptionalCallExpression':
    case 'NewExpression':
      yield* called(node, own);
      return;
    case 'MemberExpression':
    case 'OptionalMemberExpression':
      yield* member(node);
      return;
    case 'VariableDeclarator':
      if (node.init && isEnvironment(bare(node.init)) && node.id.type === 'ObjectPattern')
        yield* destructured(node.id);
      return;
    case 'StringLiteral':
    case 'TemplateLiteral':
    case 'BinaryExpression':
      yield* written(node);
  }
}

function* imported(source: string, at: Node): Generator<Sighting> {
  const name = source.replace(/^node:/, '');
  const capability = MODULES.get(name);
  if (capability !== undefined) yield [capability, name, at];
  else if (name.endsWith('.node')) yield ['native code', name, at];
}

function* importedBy(source: Node | undefined, at: Node, computedIsCode: boolean): Generator<Sighting> {
  const name = source ? fold(source) : null;
  if (name) yield* imported(name.text, at);
  else if (computedIsCode && source && !isResolved(bare(source)))
    yield ['dynamic code', 'import of a computed name', at];
}

/** `require.resolve` and file addresses name what is there. */
function isResolved(node: Node): boolean {
  return node.type === 'TemplateLiteral' && /^\.{1,2}\//.test(node.quasis[0]?.value.raw ?? '');
}

type Call = Extract<Node, { type: 'CallExpression' | 'OptionalCallExpression' | 'NewExpression' }>;

function* called(node: Call, own: ReadonlySet<string>): Generator<Sighting> {
  const callee = bare(node.callee);
  const [first] = node.arguments;
  if (callee.type === 'Import') yield* importedBy(first, node, true);
  else if (callee.type === 'Identifier') {
    const { name } = callee;
    if (name === 'require' || name === '__require') yield* importedBy(first, node, false);
    else if (!own.has(name)) yield* global(name, node);
    if (name === 'homedir' || name === 'userInfo') yield ['files of the user', name, node];
    if (TRANSPORTS.test(name)) yield ['remote server', name, node];
    yield* written(node);
  } else if (callee.type === 'MemberExpression' || callee.type === 'OptionalMemberExpression') {
    const name =
      keyOf(callee.property, callee.computed) ?? (callee.computed ? fold(callee.property)?.text : null);
    const owner = bare(callee.object);
    const of = owner.type === 'Identifier' ? owner.name : '';
    if (name === 'getBuiltinModule' || (name === 'require' && of === 'module'))
      yield* importedBy(first, node, false);
    else if (name && /^(?:globalThis|global|window|self)$/.test(of)) yield* global(name, node);
    else if (name && of === 'process' && BINDINGS.has(name)) yield ['dynamic code', name, node];
    else if (name === 'homedir' || name === 'userInfo') yield ['files of the user', name, node];
    else if (name && TRANSPORTS.test(name)) yield ['remote server', name, node];
    yield* written(node);
  }
}

function* global(name: string, node: Call): Generator<Sighting> {
  const [first] = node.arguments;
  if (GLOBALS.has(name)) yield ['network', name, node];
  else if (name === 'Function' || (name === 'eval' && node.type !== 'NewExpression'))
    yield ['dynamic code', name, node];
  else if (TIMERS.has(name) && first && fold(first)) yield ['dynamic code', name, node];
}

function isEnvironment(node: Node): boolean {
  if (node.type !== 'MemberExpression' && node.type !== 'OptionalMemberExpression') return false;
  const name = keyOf(node.property, node.computed) ?? fold(node.property)?.text;
  const owner = bare(node.object);
  const known = owner.type === 'Identifier' && owner.name === 'process';
  const through = owner.type === 'MemberExpression' && keyOf(owner.property, owner.computed) === 'process';
  return name === 'env' && (known || through);
}

function* member(
  node: Extract<Node, { type: 'MemberExpression' | 'OptionalMemberExpression' }>,
): Generator<Sighting> {
  const owner = bare(node.object);
  if (isEnvironment(owner)) {
    const name = node.computed ? fold(node.property)?.text : keyOf(node.property, false);
    yield ['environment', name ?? 'all variables', node];
  } else if (isEnvironment(node)) yield ['environment', 'all variables', node];
}

function* destructured(pattern: Extract<Node, { type: 'ObjectPattern' }>): Generator<Sighting> {
  for (const property of pattern.properties) {
    if (property.type !== 'ObjectProperty') continue;
    const name = keyOf(property.key, property.computed);
    if (name !== null) yield ['environment', name, property];
  }
}

/** Text that is known before the code runs, also where it is joined or decoded first. */
function* written(node: Node): Generator<Sighting> {
  if (node.type === 'TemplateLiteral' && node.expressions.length > 0) {
    for (const { value } of node.quasis)
      yield* inText({ text: value.cooked ?? value.raw, decoded: false }, node);
    return;
  }
  const text = fold(node);
  if (text) yield* inText(text, node);
}

function* inText({ text, decoded }: Folded, at: Node): Generator<Sighting> {
  if (text.length > 200_000) return;
  for (const host of hostsIn(text)) yield ['network', host, at];
  const mail = mailIn(text);
  if (mail !== null) yield ['network', `mail to ${mail}`, at];
  const file = privateFileIn(text);
  if (file !== null) yield ['files of the user', file, at];
  const capability = decoded ? MODULES.get(text.replace(/^node:/, '')) : undefined;
  if (capability !== undefined) yield [capability, text.replace(/^node:/, ''), at];
}
