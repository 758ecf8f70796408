/** Calls: what reaches a sink, what comes back, and functions of the package itself followed into. */
import {
  CHECKS,
  carries,
  cleans,
  isDatabase,
  isOpener,
  leaves,
  PARSES,
  QUERY,
  QUERY_CALLS,
  restates,
  SHELL_PROGRAM,
  sinksOf,
} from './apis.ts';
import { evaluate, joined } from './evaluate.ts';
import { arrive, type Here, idOf, MAX_DEPTH, stepAt } from './follow.ts';
import { placesIn } from './guards.ts';
import { takeRegistration } from './handlers.ts';
import { importedValue } from './modules.ts';
import { bare, keyOf, type Node } from './parse.ts';
import { bind } from './patterns.ts';
import { parsed, schemaIn, source } from './sources.ts';
import { run } from './statements.ts';
import {
  allTaints,
  clean,
  Env,
  type Fn,
  NOTHING,
  refValue,
  stepped,
  union,
  type Value,
  wordsOf,
} from './value.ts';
import { bundled, GIVES, wrapped } from './wrapping.ts';

export type Call = Extract<
  Node,
  { type: 'CallExpression' | 'OptionalCallExpression' | 'NewExpression' | 'ImportExpression' }
>;

export interface Made {
  readonly node: Call;
  readonly name: string;
  readonly callee: Value;
  readonly owner: Value | null;
  readonly args: readonly Value[];
}

export function called(node: Call, here: Here): Value {
  if (node.type === 'ImportExpression') return byName(node, [node.source], here);
  const target = bare(node.callee);
  if (target.type === 'Import') return byName(node, node.arguments, here);
  const isMember = target.type === 'MemberExpression' || target.type === 'OptionalMemberExpression';
  const owner = isMember ? evaluate(target.object, here) : null;
  const callee = evaluate(target, here);
  const name = isMember
    ? (keyOf(target.property, target.computed) ?? '')
    : target.type === 'Identifier'
      ? target.name
      : '';
  if (callee.ref === 'require' || name === '__require') return byName(node, node.arguments, here);
  if (name === '__commonJS') return bundled(node, here);
  if (/^(?:__importStar|__importDefault|__toESM|_interopRequire\w*|promisify|createRequire|bind)$/.test(name))
    return wrapped(node, { name, owner }, here);
  const args = node.arguments.map((one) => evaluate(one, here));
  const made: Made = { node, name, callee, owner, args };
  takeRegistration(made, here);
  reach(made, here);
  const value = result(made, here);
  return value.taints.length > 0 ? stepped(value, stepAt(here, node, `${name}()`)) : value;
}

/** A module by its name; one that is not known before is code that somebody else names. */
function byName(node: Call, [first]: readonly Node[], here: Here): Value {
  if (!first) return NOTHING;
  const value = evaluate(first, here);
  if (value.taints.length > 0) arrive(here, { node, value, sink: 'code', call: 'import' });
  return value.taints.length === 0 && value.text !== '' ? importedValue(value.text, '*', here) : NOTHING;
}

/** Everything that this call uses of what is unknown. */
function reach({ node, name, callee, owner, args }: Made, here: Here): void {
  const { ref } = callee;
  const tell = (
    value: Value | undefined,
    sink: Parameters<typeof arrive>[1]['sink'],
    call = ref ?? name,
  ): void => {
    if (value) arrive(here, { node, value, sink, call });
  };
  if (ref !== null) {
    for (const { at, sink } of sinksOf(ref)) {
      const value = args[at];
      if (!value || allTaints(value).length === 0) continue;
      if (sink === 'address') tell(addressIn(value), sink);
      else if (sink === 'program argument') {
        const how = argumentSink(args, textOf(node, here), value);
        if (how !== null) tell(value, how);
      } else if (sink === 'program' && isOpener(ref)) tell(value.lead ? strangers(value) : undefined, sink);
      else tell(value, sink);
    }
    if (leaves(ref)) tell(wordsOf(args), 'network');
  }
  const line = owner?.taints.some(({ origin }) => origin === 'answer');
  if (line && /^(?:write|end|send|emit)$/.test(name)) tell(wordsOf(args), 'network', name);
  const [first] = args;
  // What is given to a query that is prepared is no part of it.
  const database = ref !== null && isDatabase(ref) && !ref.includes('.prepare()');
  if (first && (ref === null || database) && QUERY_CALLS.has(name) && QUERY.test(first.text))
    tell(first, 'query', name);
  else if (first?.lead && database && first.fields === null) tell(first, 'whole query', name);
}

/** What a host that stands in the code answers may be shown to a person; what any other answers may not. */
function strangers(value: Value): Value {
  const taints = value.taints.filter(({ origin, what }) => origin !== 'answer' || !what.includes('.'));
  return { ...value, taints };
}

const textOf = (node: Node, { module }: Here): string =>
  module.text.slice(node.start ?? 0, node.end ?? 0).slice(0, 4000);

/** Arguments of a program are code to a shell; to others they are options where they may begin with a dash. */
function argumentSink(
  args: readonly Value[],
  text: string,
  value: Value,
): 'shell' | 'program argument' | null {
  if (/\bshell\s*:\s*(?!false)/.test(text) || SHELL_PROGRAM.test(args[0]?.text ?? '')) return 'shell';
  return value.lead ? 'program argument' : null;
}

/** Words of others in an address matter where they choose the host. */
function addressIn(value: Value): Value | undefined {
  if (value.lead) return { ...value, fields: null };
  const named = ['url', 'baseURL', 'host', 'hostname', 'uri'].flatMap((key) => value.fields?.get(key) ?? []);
  const chosen = named.filter((one) => one.lead);
  return chosen.length > 0 ? wordsOf(chosen) : undefined;
}

/** What a call gives back. */
function result(made: Made, here: Here): Value {
  const { node, name, callee, owner, args } = made;
  const { ref, fn } = callee;
  if (fn) return into(fn, args, here);
  const gives = callee.fields?.get(GIVES);
  if (gives) return gives;
  const any = callee.alts.flatMap((one) => (one.fn ? [into(one.fn, args, here)] : []));
  if (any.length > 0) return union(any);
  if (
    (node.type === 'NewExpression' ||
      bare(node.type === 'ImportExpression' ? node.source : node.callee).type === 'Super') &&
    callee.fields
  ) {
    const maker = callee.fields.get('constructor')?.fn;
    if (maker) into(maker, args, here);
    return callee;
  }
  const got = ref === null ? null : source(ref, args, node, here);
  callbacks(made, got, here);
  if (got) return got;
  if (ref !== null && cleans(ref)) return NOTHING;
  if (PARSES.test(name) && (owner?.narrow || ref === null || /\bzod\b|^z\./.test(ref)))
    return parsed(args[0], owner, name);
  if (ref !== null && name === 'object' && args[0])
    return { ...refValue(`${ref}()`), narrow: schemaIn(node, here) };
  if (CHECKS.test(name) && !(ref !== null && carries(ref))) return clean(wordsOf(args));
  if (ref !== null && carries(ref))
    return {
      ...(ref.startsWith('path') ? joined(args) : { ...wordsOf(args), lead: args[0]?.lead ?? false }),
      of: restates(ref) && 'arguments' in node ? node.arguments.flatMap(placesIn) : [],
    };
  if (ref !== null) return { ...refValue(`${ref}()`), narrow: owner?.narrow ?? null };
  if (!owner) return NOTHING;
  if (/^(?:test|includes|startsWith|endsWith|indexOf|has|length|keys)$/.test(name)) return NOTHING;
  if (owner.taints.length > 0) return { ...wordsOf([owner, ...args]), lead: owner.lead, text: owner.text };
  return /^(?:concat|join|replace|replaceAll|format|push)$/.test(name) ? wordsOf([owner, ...args]) : NOTHING;
}

/** Functions that are handed over are called with what there is. */
function callbacks({ owner, args, callee }: Made, got: Value | null, here: Here): void {
  const given = got ?? wordsOf([...(owner ? [owner] : []), ...args.filter(({ fn }) => !fn)]);
  const passes = callee.ref === null || got !== null || carries(callee.ref);
  for (const { fn } of args) if (fn) into(fn, passes ? fn.node.params.map(() => given) : [], here);
}

/** Calls end here; where there was something to follow, that is said. */
function tooDeep(words: readonly string[], { all, module }: Here): Value {
  if (words.length > 0) all.unfollowed.add(module.path);
  return NOTHING;
}

/** Follows a function of the package with these arguments; what it gives back. */
export function into(fn: Fn, args: readonly Value[], here: Here): Value {
  const { all } = here;
  const met = all.met.get(fn.node);
  const words = args.map((one, at) =>
    allTaints(one).map((taint) => `${at}${taint.origin}${taint.tool}${taint.what}${one.lead}`),
  );
  const handed = args.flatMap(({ fn: one }) => one?.node ?? []);
  const ids = [fn.node, ...(fn.self?.fields ? [fn.self.fields] : []), ...handed].map((one) => idOf(all, one));
  const key = `${ids.join(' ')} ${here.tool} ${words.flat().join('|')}`;
  const known = all.results.get(key);
  if (known !== undefined) return known ?? NOTHING;
  if (here.depth >= MAX_DEPTH) return tooDeep(words.flat(), here);
  all.results.set(key, null);
  if (met && words.flat().length === 0) met.followed = true;
  const env = new Env(fn.env);
  const inner: Here = {
    all,
    module: met?.module ?? here.module,
    env,
    depth: here.depth + 1,
    tool: here.tool,
    returns: [],
  };
  if (fn.self) env.declare('this', fn.self);
  for (const [at, param] of fn.node.params.entries()) {
    const value = param.type === 'RestElement' ? wordsOf(args.slice(at)) : (args[at] ?? NOTHING);
    const name = param.type === 'Identifier' ? param.name : 'parameters';
    bind(param, stepped(value, stepAt(inner, param, name)), { here: inner, declare: true, evaluate });
  }
  const { body } = fn.node;
  if (body.type === 'BlockStatement') run(body.body, inner);
  const value = body.type === 'BlockStatement' ? union(inner.returns) : evaluate(body, inner);
  all.results.set(key, value);
  return value;
}
