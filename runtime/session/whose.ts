/** Whose a server's word is: the request, the subscription or the task of its client that it belongs to. */
import type { Json } from '../../schemas/common.ts';
import type { Section } from '../../schemas/surface.ts';
import type { Pending } from '../gate/gate.ts';
import { TASK_NOTICES } from '../gate/methods.ts';
import { relatedTask, type Task } from '../gate/tasks.ts';
import type { Notification, Request } from '../wire/message.ts';
import * as wire from '../wire/message.ts';
import type { Exchange } from './exchange.ts';

/** Names the request of the client, in the stateless era, that asked for a notice. */
const SUBSCRIPTION = 'io.modelcontextprotocol/subscriptionId';

const ACKNOWLEDGED = 'notifications/subscriptions/acknowledged';

type Open = Pick<Exchange, 'fromClient' | 'tasks' | 'state'>;

/**
 * The item whose reading an answer brings; null: what no lock has, as the server made it up; undefined: nothing that counts.
 */
export function broughtBy({
  rule,
  method,
  target,
}: Pending): { readonly section: Section; readonly name: string } | null | undefined {
  const section = rule.task ? 'tools' : rule.item?.section;
  if (section && target !== undefined) return { section, name: target };
  return rule.task || method === 'completion/complete' ? null : undefined;
}

/** Why a notice is about nothing that is open between the two: what names another’s would be taken for it. */
export function strayFrom({ method, params }: Notification, open: Open): string | null {
  const subscription = subscriptionOf(params);
  if (subscription !== null && !open.fromClient.has(subscription))
    return 'a notice for a subscription that nobody holds';
  if (method === ACKNOWLEDGED && (subscription === null || open.state?.era !== 'stateless'))
    return 'a subscription acknowledged that nobody asked for';
  if (method === 'notifications/progress' && progressOf(params.progressToken, open) === null)
    return 'progress of nothing that the client asked';
  const related = relatedTask(params);
  if (related !== undefined && !ownTask(related, open)) return 'a notice about a task of nobody here';
  if (!TASK_NOTICES.has(method)) return null;
  const stateless = method === 'notifications/tasks';
  const fits = stateless === (open.state?.era === 'stateless') && (!stateless || subscription !== null);
  return fits && ownTask(params.taskId, open) ? null : 'the state of a task of nobody here';
}

/** The task whose state a notice tells; null: it tells none. */
export function toldTask({ method, params }: Notification, open: Open): Task | null {
  return TASK_NOTICES.has(method) ? ownTask(params.taskId, open) : null;
}

function ownTask(id: Json | undefined, { tasks }: Open): Task | null {
  return typeof id === 'string' ? tasks.of(id) : null;
}

/** What the client asked with this token: a request in flight, or in a session the call of a task that is not over. */
export function progressOf(token: Json | undefined, open: Open): Pending | null {
  const key = ofToken(token, open);
  if (key !== null) return open.fromClient.get(key) ?? null;
  if (token === undefined || open.state?.era !== 'session') return null;
  return open.tasks.open.find(({ maker }) => maker.token === token)?.maker ?? null;
}

/** The client’s request in flight that gave this token, by its key. */
function ofToken(progressToken: Json | undefined, { fromClient }: Open): string | null {
  for (const [key, { token, giveUp }] of fromClient)
    if (token !== undefined && token === progressToken && !giveUp) return key;
  return null;
}

/** The request in flight that a server speaks of: by its subscription, token or task, or because there is one alone. */
export function aboutOf({ method, params }: Request | Notification, open: Open): string | null {
  const { fromClient } = open;
  const subscription = subscriptionOf(params);
  if (subscription !== null && fromClient.has(subscription)) return subscription;
  if (method === 'notifications/progress') return ofToken(params.progressToken, open);
  const task = ownTask(relatedTask(params) ?? null, open);
  for (const [key, pending] of task ? fromClient : [])
    if (pending.task === task && pending.method === 'tasks/result') return key;
  const [only] = fromClient.keys();
  return fromClient.size === 1 && only !== undefined ? only : null;
}

/** The call that a question of a server is asked in, where it says so. */
export function askedIn({ params }: Request, open: Open): string | undefined {
  return ownTask(relatedTask(params) ?? null, open)?.maker.call;
}

export function subscriptionOf({ _meta }: Notification['params']): string | null {
  const id = wire.isObject(_meta) ? _meta[SUBSCRIPTION] : undefined;
  return typeof id === 'string' || typeof id === 'number' ? wire.idKey(id) : null;
}
