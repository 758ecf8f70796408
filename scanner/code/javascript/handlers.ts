/** Tools of a server in its code: where they are registered, and the function that gets their arguments. */
import { into, type Made } from './calls.ts';
import { evaluate } from './evaluate.ts';
import { type Here, stepAt } from './follow.ts';
import { narrowIn } from './guards.ts';
import type { Node } from './parse.ts';
import { type Fn, NOTHING, refValue, type Value } from './value.ts';

/** What a function that is asked for tools is given as their name. */
export const ASKED_FOR = '@tool';
const REGISTERS = /^(?:tool|registerTool|addTool)$/;
const SCHEMA_KEYS = ['inputSchema', 'parameters', 'paramsSchema', 'schema', 'input', 'args'];
const HANDLER_KEYS = ['handler', 'execute', 'callback', 'run', 'cb', 'handle', 'call', 'invoke'];

/** `server.tool(name, …, handler)`, `registerTool(name, {inputSchema}, handler)`, `setRequestHandler(…, handler)`. */
export function takeRegistration({ node, name, args }: Made, here: Here): void {
  if (node.type === 'ImportExpression' || !(name === 'setRequestHandler' || REGISTERS.test(name))) return;
  const fn = args.at(-1)?.fn ?? wrapped(node.arguments.at(-1), here);
  if (!fn) return;
  if (name === 'setRequestHandler') {
    const [first] = node.arguments;
    const written = first ? here.module.text.slice(first.start ?? 0, first.end ?? 0) : '';
    const calls = /CallTool|tools\/call/.test(written) || (written.length < 6 && readsArguments(fn, here));
    if (calls) follow(fn, { tool: '', names: new Set() }, here, request);
    return;
  }
  const title = args[0]?.text ?? '';
  if (args.length < 2 || !/^[\w./-]{1,128}$/.test(title)) return;
  here.all.tools.add(title);
  const middle = node.arguments.slice(1, -1);
  const schema = middle.findLast((one) => !/^(?:StringLiteral|TemplateLiteral)$/.test(one.type));
  if (!schema) return;
  follow(fn, { tool: title, names: narrowIn(schemaOf(schema) ?? schema, here.module.text) }, here);
}

/** A function that is handed over through another: `withTelemetry(async (request) => …)`. */
function wrapped(node: Node | undefined, here: Here): Fn | null {
  if (node?.type !== 'CallExpression') return null;
  const found = node.arguments.map((one) => evaluate(one, here).fn).find((one) => one !== null);
  return found ?? null;
}

function readsArguments({ node }: Fn, { all, module }: Here): boolean {
  const { text } = all.met.get(node)?.module ?? module;
  return /\bparams\b[\s\S]{0,200}\barguments\b/.test(text.slice(node.start ?? 0, node.end ?? 0));
}

function schemaOf(node: Node): Node | null {
  if (node.type !== 'ObjectExpression') return null;
  for (const property of node.properties)
    if (
      property.type === 'ObjectProperty' &&
      property.key.type === 'Identifier' &&
      SCHEMA_KEYS.includes(property.key.name)
    )
      return property.value;
  return null;
}

/** `{name, inputSchema, handler}`, as many servers list their tools; where the handler stands elsewhere, a name at least. */
export function isHandlerObject(fields: ReadonlyMap<string, Value>): boolean {
  return fields.has('name') && fields.has('description') && SCHEMA_KEYS.some((key) => fields.has(key));
}

export function takeTool(fields: ReadonlyMap<string, Value>, node: Node, here: Here): void {
  const tool = fields.get('name')?.text ?? '';
  const fn = HANDLER_KEYS.map((key) => fields.get(key)?.fn).find((one) => one);
  if (!/^[\w./-]{1,128}$/.test(tool) || !(fn || fields.has('inputSchema'))) return;
  here.all.tools.add(tool);
  if (!fn) return;
  follow(fn, { tool, names: narrowIn(schemaOf(node) ?? node, here.module.text) }, here);
}

interface Tool {
  readonly tool: string;
  /** Arguments that cannot be any text. */
  readonly names: ReadonlySet<string>;
}

function follow(fn: Fn, { tool, names }: Tool, here: Here, shape = (value: Value): Value => value): void {
  const step = stepAt(here, fn.node, tool === '' ? 'arguments of a call' : `arguments of ${tool}`);
  const args: Value = {
    ...NOTHING,
    taints: [{ origin: 'argument', what: 'its arguments', tool, steps: [step] }],
    narrow: names,
    lead: true,
  };
  into(fn, [shape(args)], { ...here, depth: 0 });
}

/** As the SDK hands it over: `request.params.arguments`. */
function request(args: Value): Value {
  const name = refValue(ASKED_FOR);
  const params: Value = {
    ...NOTHING,
    fields: new Map([
      ['arguments', args],
      ['name', name],
    ]),
  };
  return { ...NOTHING, fields: new Map([['params', params]]) };
}
