/**
 * The gate: one pure judgement for every message, whatever brought it. The steps carry the numbers of the design; the
 * session does 1 frame, 2 parse, 11 journal, 12 forward, 14 outcome and 15 answer around it.
 */
import type { Json, JsonObject } from '../../schemas/common.ts';
import { LockkeeperError } from '../../schemas/errors.ts';
import type { LockEntry } from '../../schemas/lock.ts';
import type { Era } from '../../schemas/surface.ts';
import type { GatePolicy } from '../policy/session.ts';
import { type Id, idKey, type Notification, type Request, type Response } from '../wire/message.ts';
import { undeclared } from './declared.ts';
import { judgeItem, judgeReference, judgeSubscribed, targetOf } from './items.ts';
import {
  type MethodRule,
  NOTICES_TO_CLIENT,
  NOTICES_TO_SERVER,
  REQUESTS_TO_CLIENT,
  REQUESTS_TO_SERVER,
} from './methods.ts';
import {
  type Ask,
  type Decided,
  judgePolicy,
  judgeRate,
  judgeTaskPolicy,
  type Permission,
} from './permitted.ts';
import { duplicateId, expired, notDeclared, tooMany, tooManyTasks, unknownMethod } from './refusals.ts';
import type { ArgumentCheck } from './schema.ts';
import type { LiveSurface } from './surface.ts';
import * as tasks from './tasks.ts';

/** Calls in flight in one session and direction. */
export const MAX_IN_FLIGHT = 256;

export interface Pending {
  readonly id: Id;
  readonly method: string;
  readonly rule: MethodRule;
  readonly target: string | undefined;
  readonly call: string;
  /** Milliseconds of the monotonic clock. */
  readonly since: number;
  /** When the server last showed that it is at it; absent until it does. */
  heard?: number;
  /** What progress of it is known by. */
  readonly token?: Id;
  /** Connections that were made while it alone was in flight. */
  reached?: Set<string>;
  /** The parameters of a request, where they are needed once it is answered. */
  readonly wish?: JsonObject;
  /** Of a call that waits for people: they need not decide any more. */
  readonly giveUp?: () => void;
  /** What its client declared with it, in the stateless era. */
  readonly declared?: JsonObject;
  /** A call whose answer may be a task. */
  readonly making?: tasks.Making;
  /** The task that it is about. */
  readonly task?: tasks.Task;
}

export interface GateState {
  readonly entry: LockEntry;
  readonly era: Era;
  readonly live: LiveSurface;
  readonly checkArguments: ArgumentCheck;
  readonly clientCapabilities: Readonly<Record<string, unknown>>;
  /** End of the lock: milliseconds since the epoch. */
  readonly lockExpires: number;
  readonly now: () => number;
  readonly fromClient: ReadonlyMap<string, Pending>;
  /** Absent where the lock carries none. */
  readonly policy?: GatePolicy;
  /** Absent: there are none. */
  readonly tasks?: tasks.TaskBook;
  /** It is judged again, and was counted before. */
  readonly counted?: boolean;
}

export type Verdict =
  | {
      readonly allow: true;
      readonly rule: MethodRule;
      readonly target: string | undefined;
      readonly decision?: Decided;
      /** 9 people have to let it pass first. */
      readonly ask?: Ask;
      readonly making?: tasks.Making;
      readonly task?: tasks.Task;
    }
  | {
      readonly allow: false;
      readonly error: LockkeeperError;
      readonly target: string | undefined;
      readonly decision?: Decided;
      readonly detail?: Json;
    };

const refuse = (error: LockkeeperError, target?: string, judged?: Permission | null): Verdict => ({
  allow: false,
  error,
  target,
  ...(judged ? { decision: judged.decision } : {}),
  ...(judged?.detail === undefined ? {} : { detail: judged.detail }),
});

/** A message from the client to the server. */
export function judgeToServer(message: Request | Notification, state: GateState): Verdict {
  const { entry, era } = state;
  // 3 session: an id in use would let two answers be told apart by nobody
  if (message.kind === 'request' && state.fromClient.has(idKey(message.id)))
    return refuse(duplicateId(message));
  // 4 lock entry fresh
  if (state.now() >= state.lockExpires) return refuse(expired(entry, state.lockExpires));
  // 5 method known in this era and direction
  if (message.kind === 'notification') {
    if (!NOTICES_TO_SERVER.has(message.method)) return refuse(unknownMethod(message.method, 'to the server'));
    const error = tasks.judgeMentions(message, state);
    return error ? refuse(error) : { allow: true, rule: {}, target: undefined };
  }
  const rule = own(REQUESTS_TO_SERVER[era], message.method);
  if (!rule) return refuse(unknownMethod(message.method, `to the server, protocol era ${era}`));
  if (rule.task) return judgeAboutTask(message, rule, state);
  // 6 item in the lock and unchanged
  const target = targetOf(rule, message);
  const itemError =
    judgeItem(rule, target, state) ??
    judgeReference(message, state) ??
    judgeSubscribed(message, state) ??
    tasks.judgeMentions(message, state) ??
    tasks.judgeWish(message, target ?? '', state);
  if (itemError) return refuse(itemError, target);
  // 7 permitted by the policy
  const judged = judgePolicy(message, rule, state);
  if (judged?.error) return refuse(judged.error, target, judged);
  // 8 arguments as the locked schema says
  if (message.method === 'tools/call' && target !== undefined) {
    const error = state.checkArguments(
      target,
      message.params.arguments === undefined ? {} : message.params.arguments,
    );
    if (error) return refuse(error, target, judged);
  }
  // 10 concurrency, rate, and tasks that are not over
  if (state.fromClient.size >= MAX_IN_FLIGHT) return refuse(tooMany(MAX_IN_FLIGHT), target, judged);
  const often = state.counted ? null : judgeRate(message, rule, { state, count: false });
  if (often?.error) return refuse(often.error, target, often);
  const made = tasks.makingOf(message, target ?? '', state);
  if (made && !state.tasks?.hasRoom(made.bytes)) return refuse(tooManyTasks(), target, judged);
  const decided = judged ? { decision: judged.decision } : {};
  const making = made ? { making: { ...made, people: judged?.ask?.people ?? 0 } } : {};
  return { allow: true, rule, target, ...decided, ...(judged?.ask ? { ask: judged.ask } : {}), ...making };
}

/** Steps 5 to 10 for what is about a task: permitted as the call that made it would be now. */
function judgeAboutTask(message: Request, rule: MethodRule, state: GateState): Verdict {
  const task = tasks.judgeTask(message, state);
  if (task instanceof LockkeeperError) return refuse(task);
  const target = task?.maker.target;
  const judged = task && judgeTaskPolicy(message.method, task, state);
  if (judged?.error) return refuse(judged.error, target, judged);
  if (state.fromClient.size >= MAX_IN_FLIGHT) return refuse(tooMany(MAX_IN_FLIGHT), target, judged);
  const decided = judged ? { decision: judged.decision } : {};
  return { allow: true, rule, target, ...decided, ...(task ? { task } : {}) };
}

/** A message that the server starts: a request to the client, or a notice. */
export function judgeToClient(
  message: Request | Notification,
  state: Pick<GateState, 'era' | 'clientCapabilities' | 'tasks'>,
  inFlight: ReadonlyMap<string, Pending>,
): Verdict {
  if (message.kind === 'notification') {
    return NOTICES_TO_CLIENT.has(message.method)
      ? { allow: true, rule: {}, target: undefined }
      : refuse(unknownMethod(message.method, 'to the client'));
  }
  if (inFlight.has(idKey(message.id))) return refuse(duplicateId(message));
  const rule = state.era === 'session' ? own(REQUESTS_TO_CLIENT, message.method) : undefined;
  if (!rule) return refuse(unknownMethod(message.method, 'from a server to its client'));
  const missing = undeclared(message, rule, state.clientCapabilities);
  if (missing !== null) return refuse(notDeclared(missing, message.method));
  const error = tasks.judgeQuestion(message, state.tasks);
  if (error) return refuse(error);
  if (inFlight.size >= MAX_IN_FLIGHT) return refuse(tooMany(MAX_IN_FLIGHT));
  return { allow: true, rule, target: undefined };
}

/** 13 bind an answer to its question; null when nobody asked. */
export function boundTo(
  message: Pick<Response, 'id'>,
  pending: ReadonlyMap<string, Pending>,
): Pending | null {
  const asked = message.id === null ? undefined : pending.get(idKey(message.id));
  // What waits for people was not asked yet.
  return asked === undefined || asked.giveUp ? null : asked;
}

function own(table: Readonly<Record<string, MethodRule>>, method: string): MethodRule | undefined {
  return Object.hasOwn(table, method) ? table[method] : undefined;
}
