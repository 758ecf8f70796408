/** What of a server's answer a client may see: lists without what is not in the lock, a greeting only as compared. */
import type { Json, JsonObject } from '../../schemas/common.ts';
import { LockkeeperError } from '../../schemas/errors.ts';
import { canonical } from '../../schemas/json.ts';
import { KEY_OF, type Section } from '../../schemas/surface.ts';
import type { MethodRule } from '../gate/methods.ts';
import type { Seeing } from '../gate/permitted.ts';
import { type Drift, filterPage, type LiveSurface } from '../gate/surface.ts';
import { offeredIn, type TaskTerms } from '../gate/task-terms.ts';
import { encode, isObject, parseMessage, type Response, refusalOf } from '../wire/message.ts';

/** Without a policy, all of it may be seen. */
export interface Known extends Partial<Seeing> {
  readonly live: LiveSurface;
  /** The greeting that was compared with the lock. */
  readonly hello: JsonObject;
  /** Whether a task is this client's; absent: none is. */
  readonly owns?: (id: Json) => boolean;
  readonly tasks?: Pick<TaskTerms, 'methods'> | undefined;
}

export interface Answer {
  readonly bytes: Buffer;
  readonly drifts: readonly Drift[];
  /** Tasks that were left out. */
  readonly strangers?: number;
}

/** In one answer, by the protocol. */
const MAX_VALUES = 100;
const UNREADABLE = new LockkeeperError('SURFACE_UNREADABLE', {
  expected: 'a list that can be compared with the lock',
  found: 'something else',
  next: 'The server breaks the protocol; use another release',
});
const REGREETED = new LockkeeperError('SURFACE_DRIFT', {
  expected: 'the server to describe itself as it did when it was compared with the lock',
  found: 'another description',
  next: 'Stop using the server and tell its reviewers: it changed while it ran',
});

/** The very bytes where nothing is to be left out. */
export function answerFor(message: Response, rule: MethodRule, known: Known): Answer {
  const whole = { bytes: message.bytes, drifts: [] };
  if (message.kind === 'error' || message.id === null) return whole;
  if (rule.greets) {
    const same = inOneWay(message) && canonical(message.result) === canonical(known.hello);
    if (!same) return { bytes: refusalOf(message.id, REGREETED), drifts: [] };
    return known.tasks?.methods.size ? whole : { ...whole, bytes: withoutTasks(message) };
  }
  if (known.fits) return { bytes: completed(message, known.fits), drifts: [] };
  if (rule.task === 'list') return ownTasks(message, known);
  if (rule.lists !== undefined) return listed(rule.lists, message, known);
  const { summary, id, result } = message;
  // Of one that another thread read, only a part is here.
  if (known.sees === undefined || rule.item?.section !== 'resources' || summary !== undefined) return whole;
  const kept = privately(result);
  return kept === result ? whole : { ...whole, bytes: encode({ jsonrpc: '2.0', id, result: kept }) };
}

/** Under a policy an answer is its caller's: whoever keeps it on the way may not give it to others. */
function privately(result: Json): Json {
  return isObject(result) && result.cacheScope === 'public' ? { ...result, cacheScope: 'private' } : result;
}

/** Values that complete an argument, without those that would be refused in its place, and what is beyond the protocol's bound. */
function completed(message: Result, fits: NonNullable<Seeing['fits']>): Buffer {
  const { id, result } = message;
  const { total: _, ...said } = isObject(result) && isObject(result.completion) ? result.completion : {};
  const values = Array.isArray(said.values) ? said.values : [];
  const kept = values.slice(0, MAX_VALUES).filter((value) => typeof value === 'string' && fits(value));
  if (kept.length === values.length && Array.isArray(said.values) && inOneWay(message)) return message.bytes;
  const rest = isObject(result) ? result : {};
  return encode({ jsonrpc: '2.0', id, result: { ...rest, completion: { ...said, values: kept } } });
}

/** A greeting of a server whose lock has no tasks in this era: none are offered. */
function withoutTasks({ id, result, bytes }: Result): Buffer {
  if (!isObject(result) || !isObject(result.capabilities)) return bytes;
  const { capabilities } = result;
  const offered = offeredIn('stateless', { capabilities, capture: { eras: [] } });
  if (canonical(offered) === canonical(capabilities)) return bytes;
  return encode({ jsonrpc: '2.0', id, result: { ...result, capabilities: offered } });
}

/** Without the tasks of others, which a server that many use may list as well. */
function ownTasks({ id, result, bytes }: Result, { owns = () => false }: Known): Answer {
  const tasks = isObject(result) ? result.tasks : undefined;
  if (!isObject(result) || !Array.isArray(tasks)) return { bytes: refusalOf(id, UNREADABLE), drifts: [] };
  const own = tasks.filter((task) => isObject(task) && owns(task.taskId ?? null));
  const strangers = tasks.length - own.length;
  if (strangers === 0) return { bytes, drifts: [] };
  return { bytes: encode({ jsonrpc: '2.0', id, result: { ...result, tasks: own } }), drifts: [], strangers };
}

type Result = Extract<Response, { kind: 'response' }>;

function listed(section: Section, message: Result, { live, sees }: Known): Answer {
  const page = inOneWay(message) ? filterPage(section, message.result, live) : null;
  if (page === null) return { bytes: refusalOf(message.id, UNREADABLE), drifts: [] };
  const result = sees ? privately(seen(section, page.result, sees)) : page.result;
  const bytes =
    result === message.result ? message.bytes : encode({ jsonrpc: '2.0', id: message.id, result });
  return { bytes, drifts: page.drifts };
}

/** Without what the policy refuses whatever the arguments; the same object where that is nothing. */
function seen(section: Section, result: Json, sees: NonNullable<Known['sees']>): Json {
  const items = isObject(result) ? result[section] : undefined;
  if (!isObject(result) || !Array.isArray(items)) return result;
  const kept = items.filter((item) => {
    const key = isObject(item) ? item[KEY_OF[section]] : undefined;
    return typeof key === 'string' && sees(section, key);
  });
  return kept.length === items.length ? result : { ...result, [section]: kept };
}

/** Answers were read leniently; what is compared by digest has to be JSON that is read in one way. */
function inOneWay({ bytes }: Result): boolean {
  try {
    parseMessage(bytes, false, Number.POSITIVE_INFINITY);
    return true;
  } catch {
    return false;
  }
}
