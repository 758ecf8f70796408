import { type CallFacts, CallList, type CallView, CallView as View } from '../../schemas/call.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { callNamed, giveCallApproval } from '../calls.ts';
import { type Command, type Context, flag, option, type Result, reasonOf, type Values } from '../command.ts';
import { clip, minute, plain, table } from '../output.ts';
import { signerNamed } from '../signers.ts';
import { keyName } from './keys.ts';

export const calls: Command = {
  summary: 'see, approve and turn down calls that wait for people',
  words: '[show ID | approve ID | reject ID --reason WHY]',
  options: {
    all: option.flag('also those of the last day that were decided'),
    reason: option.text('why it is turned down, for whoever made the call'),
    key: option.text('name of the key file to sign with (default: your name)'),
  },
  examples: [
    'lk calls',
    'lk calls show 6f1d2c0b9a8e7f6d5c4b3a2918070605',
    'lk calls approve 6f1d2c0b9a8e7f6d5c4b3a2918070605',
    'lk calls reject 6f1d2c0b9a8e7f6d5c4b3a2918070605 --reason "not on a Friday"',
  ],
  arity: [0, 2],
  async run(context, [verb, id], values) {
    if (verb === undefined) return list(context, values);
    const act = Object.hasOwn(VERBS, verb) ? VERBS[verb] : undefined;
    if (act && id !== undefined && /^[0-9a-f]{32}$/.test(id)) return act(context, id, values);
    throw new LockkeeperError('USAGE', {
      expected: `lk calls ${calls.words}, with the whole id that lk calls shows`,
      found: quote([verb, id].filter((word) => word !== undefined).join(' ')),
      next: 'See: lk calls --help',
    });
  },
};

type Act = (context: Context, id: string, values: Values) => Promise<Result>;
const VERBS: Readonly<Record<string, Act>> = { show, approve, reject };

async function list(context: Context, values: Values): Promise<Result> {
  const api = await context.api();
  const state = flag(values, 'all') ? 'all' : 'waiting';
  const view = await api.call('calls', CallList, { query: { state } });
  const head = ['ID', 'TOOL', 'SERVER', 'FOR', 'APPROVED', state === 'all' ? 'STATE' : 'UNTIL', 'ARGUMENTS'];
  const rows = view.calls.map((call) => [
    call.id,
    clip(call.facts.tool, 40),
    serverOf(call.facts),
    clip(call.facts.user, 40),
    `${call.approvedBy.length} of ${call.facts.people}`,
    state === 'all' ? call.state : call.facts.expires.slice(11, 19),
    call.arguments === null ? '-' : clip(JSON.stringify(call.arguments), 60),
  ]);
  const none = 'No call waits for anybody.';
  return { data: view, text: rows.length === 0 ? none : table(head, rows) };
}

async function show(context: Context, id: string): Promise<Result> {
  const call = await callNamed(await context.api(), id);
  return { data: call, text: textOf(call) };
}

async function approve(context: Context, id: string, values: Values): Promise<Result> {
  const api = await context.api();
  const call = await callNamed(api, id);
  if (call.arguments === null) throw over(call);
  const signer = await signerNamed(context, await keyName(context, values));
  const shown = { facts: call.facts, arguments: call.arguments };
  const after = await giveCallApproval(shown, { api, signer, now: context.now() });
  const rest = call.facts.people - after.approvedBy.length;
  const next = rest > 0 ? `It needs ${rest} more.` : context.paint.green('It may pass now.');
  return { data: after, text: `${textOf(call)}\n\nYou approved it. ${next}` };
}

async function reject(context: Context, id: string, values: Values): Promise<Result> {
  const reason = reasonOf(values, 'why it is turned down');
  const api = await context.api();
  const after = await api.call('callReject', View, { parameters: { id }, body: { reason } });
  return { data: after, text: `You turned down ${plain(after.facts.tool)} for ${plain(after.facts.user)}.` };
}

function over(call: CallView): LockkeeperError {
  return new LockkeeperError('CALL_DECIDED', {
    expected: 'a call that waits',
    found: call.state,
    next: 'See those that wait: lk calls',
  });
}

/** By the name that the lock has for it, where a runtime says that. */
function serverOf({ alias, server, version }: CallFacts): string {
  return `${alias === undefined ? '' : `${alias}: `}${server} ${version}`;
}

/** Everything that is signed, and what the call says line by line. */
function textOf({ facts, arguments: args, state, askedBy, approvedBy, rejected }: CallView): string {
  const rows: [string, string][] = [
    ['Tool', facts.tool],
    ['Server', serverOf(facts)],
    ['For', facts.user],
    ['State', state],
    ['Approved by', `${approvedBy.join(', ') || 'nobody yet'} (it takes ${facts.people})`],
    ['Waits until', `${minute(facts.expires)} UTC`],
    ['Runtime', `${facts.runtime}, signed in as ${askedBy}`],
    ['Session', facts.session],
    ['Closure', facts.closureDigest],
    [facts.shown === undefined ? 'Arguments' : 'Parameters', facts.argumentsDigest],
    ...(rejected
      ? ([['Turned down', `by ${rejected.person}: ${rejected.reason}`]] as [string, string][])
      : []),
  ];
  const lines = rows.map(([name, value]) => `${name.padEnd(12)} ${plain(value)}`);
  const body = args === null ? 'The arguments are in the audit: lk audit' : JSON.stringify(args, null, 2);
  return [...lines, '', ...body.split('\n').map(plain)].join('\n');
}
