/**
 * Tasks: calls whose answer is fetched later. What may make one, who may speak of one, and what is said about one. Pure: which
 * there are is known by the session that made them.
 */
import type { Json, JsonObject } from '../../schemas/common.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import type { Era } from '../../schemas/surface.ts';
import type { Read } from '../policy/flows.ts';
import { isObject, type Notification, type Request, type Response } from '../wire/message.ts';
import type { GateState, Pending } from './gate.ts';
import { clientTask, drifted } from './refusals.ts';
import { EXTENSION, memberOf, type TaskTerms } from './task-terms.ts';

const META = 'io.modelcontextprotocol/';
/** Names the task that a message belongs to, in its `_meta`. */
export const RELATED = `${META}related-task`;
const CAPABILITIES = `${META}clientCapabilities`;
/** Longest id of a task, characters. */
const ID_LENGTH = 512;
const STATUSES: ReadonlySet<Json> = new Set([
  'working',
  'input_required',
  'completed',
  'failed',
  'cancelled',
]);

/** What a call that may make a task is judged by again, whenever somebody speaks of the task. */
export interface Making {
  readonly era: Era;
  readonly arguments: Json;
  /** Of the call's message. */
  readonly bytes: number;
  /** What the session had read when it made the call. */
  readonly read: Read | undefined;
  /** How many people let it pass. */
  readonly people: number;
}

export interface Task {
  readonly id: string;
  /** The call that made it. */
  readonly maker: Pending & { readonly target: string; readonly making: Making };
  status: string;
  /** Its last word reached the client, or never will: no server has to run for it. */
  over: boolean;
  /** Milliseconds of the monotonic clock. */
  expires: number;
}

/** Those of one session. */
export interface TaskBook extends TaskTerms {
  of(id: string): Task | null;
  /** For one more, whose call has so many bytes. */
  hasRoom(bytes: number): boolean;
}

/** Whether this very request says that its client knows tasks. */
export function declares({ params }: Request): boolean {
  const meta = isObject(params._meta) ? params._meta : {};
  const said = meta[CAPABILITIES];
  return isObject(said) && memberOf(said, ['extensions', EXTENSION]) !== undefined;
}

/** What a call of a tool may make, where it may make a task. */
export function makingOf(message: Request, tool: string, state: GateState): Making | null {
  const { era, tasks, policy } = state;
  if (message.method !== 'tools/call' || !tasks?.makes(tool)) return null;
  if (era === 'session' ? message.params.task === undefined : !declares(message)) return null;
  const { arguments: args = {} } = message.params;
  return { era, arguments: args, bytes: message.bytes.length, read: policy?.read, people: 0 };
}

/** A call asks for a task only where the locked tool allows it; in the stateless era the server alone decides. */
export function judgeWish(
  { method, params }: Request,
  tool: string,
  state: GateState,
): LockkeeperError | null {
  const { task } = params;
  if (method !== 'tools/call' || task === undefined) return null;
  const across = !state.entry.surface.capture.eras.includes(state.era);
  if (state.era === 'stateless' && !across) return null;
  if (state.tasks?.makes(tool) !== true) {
    return new LockkeeperError('METHOD_REFUSED', {
      expected: across
        ? 'no wish for a task: between two protocol eras the server decides'
        : `${quote(tool, 128)} without a task, as it is locked`,
      found: 'a call that asks for one',
      next: 'Call it without a task',
    });
  }
  if (isObject(task) && (task.ttl === undefined || (typeof task.ttl === 'number' && task.ttl >= 0)))
    return null;
  return new LockkeeperError('FRAME_INVALID', {
    expected: 'a task with a ttl in milliseconds, or without one',
    found: quote(JSON.stringify(task), 60),
    next: 'Correct the sender',
  });
}

/** Steps 5 and 6 for what is about a task: it is this client's, and its tool is the locked one. Null: `list` names none. */
export function judgeTask(message: Request, state: GateState): LockkeeperError | Task | null {
  const { method, params } = message;
  const undeclared = judgeTerms(message, method, state);
  if (undeclared) return undeclared;
  if (method === 'tasks/list') return null;
  const task = typeof params.taskId === 'string' ? state.tasks?.of(params.taskId) : null;
  if (!task) return unknownTask(params.taskId);
  const { target } = task.maker;
  return state.live.standing('tools', target) === 'locked' ? task : drifted('tools', target, state);
}

function judgeTerms(message: Request, method: string, { era, tasks }: GateState): LockkeeperError | null {
  if (!tasks?.methods.has(method)) return noTasks(method);
  return judgeDeclared(message, era);
}

export function noTasks(method: string): LockkeeperError {
  return new LockkeeperError('METHOD_REFUSED', {
    expected: 'a server that is locked with tasks in this protocol era',
    found: quote(method, 80),
    next: 'Call its tools without tasks',
  });
}

/** In the stateless era each request says that its client knows tasks. */
export function judgeDeclared(message: Request, era: Era): LockkeeperError | null {
  if (era === 'session' || declares(message)) return null;
  return new LockkeeperError('TASK_UNDECLARED', {
    expected: `a client that declares the extension ${EXTENSION} in this request`,
    found: 'one that does not',
    next: 'Declare it, or leave tasks alone',
  });
}

/** A subscription to tasks, and whatever else a client says of one beside its own request: they are to be its own. */
export function judgeMentions(message: Request | Notification, state: GateState): LockkeeperError | null {
  const { kind, method, params } = message;
  const related = relatedTask(params);
  if (related !== undefined && !ownsTask(related, state.tasks)) return unknownTask(related);
  if (method !== 'subscriptions/listen' || kind !== 'request') return null;
  const ids = isObject(params.notifications) ? params.notifications.taskIds : undefined;
  if (ids === undefined) return null;
  const undeclared = judgeTerms(message, 'tasks/get', state);
  if (undeclared) return undeclared;
  const strange = Array.isArray(ids) ? ids.find((id) => !ownsTask(id, state.tasks)) : ids;
  return strange === undefined ? null : unknownTask(strange);
}

/** What a server asks for a task is of one that its client made; a client is never asked to make one itself. */
export function judgeQuestion(
  { params }: Request,
  book: Pick<TaskBook, 'of'> | undefined,
): LockkeeperError | null {
  const related = relatedTask(params);
  if (related !== undefined && !ownsTask(related, book)) return unknownTask(related);
  return params.task === undefined ? null : clientTask();
}

/** What a client answers for a task is for one of its own. */
export function judgeAnswer(message: Response, tasks: Pick<TaskBook, 'of'>): LockkeeperError | null {
  const related =
    message.kind === 'response' && isObject(message.result) ? relatedTask(message.result) : undefined;
  return related === undefined || ownsTask(related, tasks) ? null : unknownTask(related);
}

/** The id of the task that a message says it belongs to; undefined where it says none. */
export function relatedTask({ _meta }: JsonObject): Json | undefined {
  const related = isObject(_meta) ? _meta[RELATED] : undefined;
  return isObject(related) ? (related.taskId ?? null) : related;
}

function ownsTask(id: Json | undefined, tasks: Pick<TaskBook, 'of'> | undefined): boolean {
  return typeof id === 'string' && tasks !== undefined && tasks.of(id) !== null;
}

export function unknownTask(id: Json | undefined): LockkeeperError {
  return new LockkeeperError('TASK_UNKNOWN', {
    expected: 'the taskId of a task that this session made here, and that has not expired',
    found: typeof id === 'string' ? quote(id, 80) : 'no such id',
    next: 'Make the call again',
  });
}

/** The state of a task that an answer brings for a call: null where it is no task. */
export function taskIn(result: Json, era: Era): JsonObject | null {
  if (!isObject(result)) return null;
  if (era === 'stateless') return result.resultType === 'task' ? result : null;
  return isObject(result.task) && result.content === undefined ? result.task : null;
}

/** What a tool said, in a state that may have it inside; undefined where it has said nothing yet. */
export function toldInside(state: Json): Json | undefined {
  if (!isObject(state)) return undefined;
  return state.status === 'completed' || state.result !== undefined ? (state.result ?? null) : undefined;
}

/** 13 what comes for a call or a request about a task: of that task, and of none that nobody asked for. */
export function judgeTaskAnswer(
  result: Json,
  { method, rule, making, task }: Pick<Pending, 'method' | 'rule' | 'making' | 'task'>,
  tasks: Pick<TaskBook, 'of'>,
): LockkeeperError | null {
  if (method === 'tools/call') return judgeMade(result, making, tasks);
  if (!task || (rule.task !== 'state' && rule.task !== 'inlined')) return null;
  return judgeState(result, task.id, rule.task);
}

/** What comes for a look at one task: its state, and no other's. */
export function judgeState(result: Json, id: string, kind: 'state' | 'inlined'): LockkeeperError | null {
  if (!isObject(result) || result.taskId !== id) return strange('another task than was asked for');
  const { resultType = 'complete', status = null } = result;
  if (kind === 'inlined' && resultType !== 'complete') return strange('a result of another kind');
  return STATUSES.has(status) ? null : strange(NO_STATUS);
}

function judgeMade(
  result: Json,
  making: Making | undefined,
  tasks: Pick<TaskBook, 'of'>,
): LockkeeperError | null {
  const [flat, nested] = [taskIn(result, 'stateless'), taskIn(result, 'session')];
  const made = making && (making.era === 'stateless' ? flat : nested);
  if (!made)
    return flat || typeof nested?.taskId === 'string' ? strange('a task that was not asked for') : null;
  return judgeFirst(made, (id) => tasks.of(id) !== null);
}

/** The state that a task begins in. `isKnown`: whether there is another one of this id. */
export function judgeFirst(made: JsonObject, isKnown: (id: string) => boolean): LockkeeperError | null {
  const { taskId, status = null, result: inside } = made;
  if (typeof taskId !== 'string' || taskId === '' || taskId.length > ID_LENGTH)
    return strange('a task without a proper id');
  if (isKnown(taskId)) return strange('the id of another task');
  if (inside !== undefined) return strange('a result in a task that is only made');
  return STATUSES.has(status) ? null : strange(NO_STATUS);
}

const NO_STATUS = 'a task in a state that is not known';

function strange(found: string): LockkeeperError {
  return new LockkeeperError('RESULT_INVALID', {
    expected: 'an answer as it was asked for',
    found,
    next: 'The server breaks the protocol of tasks; call it without them',
  });
}
