/** Tasks among those of all servers: the alias stands before their ids, as servers count each for themselves. */
import type { Json } from '../../../schemas/common.ts';
import { TASK_NOTICES } from '../../gate/methods.ts';
import { declares, RELATED, relatedTask, unknownTask } from '../../gate/tasks.ts';
import { isObject, type Message, type Request } from '../../wire/message.ts';
import { type Change, splice, textAt } from '../../wire/splice.ts';

/** In no alias. */
const BETWEEN = ':';
const ID = 'taskId';
const MENTIONED = ['_meta', RELATED, ID];

/** Whether the answer of a request may name a task. */
export function namesTasks(message: Request): boolean {
  const { method, params } = message;
  return (
    method.startsWith('tasks/') ||
    (method === 'tools/call' && (params.task !== undefined || declares(message)))
  );
}

/** What a server answers, with its tasks as they are called among those of all. */
export function shownAnswer(bytes: Buffer, alias: string): Buffer {
  const paths = [
    ['result', 'task', ID],
    ['result', ...MENTIONED],
  ];
  // A result of a tool may have a member of that name: it is a task's only beside the state of one.
  if (textAt(bytes, ['result', 'status']) !== null) paths.push(['result', ID]);
  return shown(bytes, alias, paths);
}

/** The same for what it says unasked. */
export function shownWord(bytes: Buffer, alias: string): Buffer {
  const method = textAt(bytes, ['method'])?.toString() ?? '""';
  const tells = TASK_NOTICES.has(JSON.parse(method) as string);
  return shown(bytes, alias, [['params', ...MENTIONED], ...(tells ? [['params', ID]] : [])]);
}

function shown(bytes: Buffer, alias: string, paths: readonly string[][]): Buffer {
  const changes = paths.flatMap((path): Change[] => {
    const text = textAt(bytes, path);
    return text === null ? [] : [{ path, value: shownId(alias, JSON.parse(text.toString()) as Json) }];
  });
  return splice(bytes, changes);
}

/** What a task of a server is called among those of all. */
export function shownId(alias: string, id: Json): string {
  return `${alias}${BETWEEN}${typeof id === 'string' ? id : ''}`;
}

/** Whose a task is, and what it is called there. Throws TASK_UNKNOWN for an id that is of none of all. */
export function ownerOfTask(id: Json | undefined): { readonly alias: string; readonly id: string } {
  const at = typeof id === 'string' ? id.indexOf(BETWEEN) : -1;
  if (typeof id !== 'string' || at <= 0) throw unknownTask(id);
  return { alias: id.slice(0, at), id: id.slice(at + 1) };
}

/** A request about a task as its server knows it. */
export function withOwnId(message: Request, taskId: string): Request {
  const bytes = splice(message.bytes, [{ path: ['params', ID], value: taskId }]);
  return { ...message, params: { ...message.params, taskId }, bytes };
}

/**
 * A message for one server, with the task that it belongs to as it is called there. Where that is another server's, throws
 * TASK_UNKNOWN if it is `strict`, and gives the message as it came if not.
 */
export function withOwnMention<M extends Message>(message: M, alias: string, strict = true): M {
  const member = message.kind === 'response' ? 'result' : 'params';
  const inside = 'params' in message ? message.params : message.kind === 'response' ? message.result : null;
  const related = isObject(inside) ? relatedTask(inside) : undefined;
  if (!isObject(inside) || related === undefined) return message;
  const mine = typeof related === 'string' && related.startsWith(`${alias}${BETWEEN}`);
  if (!mine && strict) throw unknownTask(related);
  if (!mine) return message;
  const owner = ownerOfTask(related);
  const meta = isObject(inside._meta) ? inside._meta : {};
  const next = { ...inside, _meta: { ...meta, [RELATED]: { ...(meta[RELATED] as object), [ID]: owner.id } } };
  const bytes = splice(message.bytes, [{ path: [member, ...MENTIONED], value: owner.id }]);
  return { ...message, [member]: next, bytes };
}
