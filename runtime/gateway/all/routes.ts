/** Whom a request is for, and what it says once only that server is to read it. */
import type { Json } from '../../../schemas/common.ts';
import { LockkeeperError } from '../../../schemas/errors.ts';
import type { Era, Section } from '../../../schemas/surface.ts';
import { LIST_METHOD, REQUESTS_TO_SERVER } from '../../gate/methods.ts';
import { offersTasks } from '../../gate/task-terms.ts';
import { judgeDeclared, noTasks } from '../../gate/tasks.ts';
import { isObject, type Request } from '../../wire/message.ts';
import { splice } from '../../wire/splice.ts';
import type { Hello } from './merged.ts';
import { type Names, qualified } from './names.ts';
import { ownerOfTask, withOwnId, withOwnMention } from './tasks.ts';

export interface Routed {
  readonly alias: string;
  readonly message: Request;
}

const LISTS = new Map(Object.entries(LIST_METHOD).map(([section, method]) => [method, section as Section]));

/** The section that a method lists; undefined for what is no list. */
export function listedBy(method: string): Section | undefined {
  return LISTS.get(method);
}

export interface Routing {
  readonly era: Era;
  readonly names: Names;
  readonly hello: Pick<Hello, 'capabilities'>;
  /** Why nobody is asked under these aliases. */
  readonly closed: ReadonlyMap<string, LockkeeperError>;
}

/** Throws TOOL_REFUSED, NAME_AMBIGUOUS, FRAME_INVALID, METHOD_REFUSED, or why the server that is named is closed. */
export function route(message: Request, { era, names, hello, closed }: Routing): Routed {
  const { method, params } = message;
  if (!Object.hasOwn(REQUESTS_TO_SERVER[era], method)) throw refused(method);
  const named = isObject(params.ref) ? params.ref.name : params.name;
  for (const [alias, error] of closed)
    if (typeof named === 'string' && named.startsWith(qualified(alias, ''))) throw error;
  const aboutTask = method.startsWith('tasks/');
  if (aboutTask && !offersTasks(era, hello.capabilities[era])) throw noTasks(method);
  const undeclared = aboutTask ? judgeDeclared(message, era) : null;
  if (undeclared) throw undeclared;
  const { alias, message: own } = addressed(message, names);
  return { alias, message: withOwnMention(own, alias) };
}

function addressed(message: Request, names: Names): Routed {
  const { method, params } = message;
  switch (method) {
    case 'tasks/get':
    case 'tasks/result':
    case 'tasks/update':
    case 'tasks/cancel': {
      const { alias, id } = ownerOfTask(params.taskId);
      return { alias: names.server(alias, params.taskId), message: withOwnId(message, id) };
    }
    case 'tools/call':
      return renamed(message, ['name'], names.owner('tools', textOf(params.name, 'a name')));
    case 'prompts/get':
      return renamed(message, ['name'], names.owner('prompts', textOf(params.name, 'a name')));
    case 'resources/read':
    case 'resources/subscribe':
    case 'resources/unsubscribe':
      return { alias: names.addressee(textOf(params.uri, 'a uri')), message };
    case 'completion/complete':
      return completed(message, names);
    default:
      throw refused(method);
  }
}

function refused(method: string): LockkeeperError {
  return new LockkeeperError('METHOD_REFUSED', {
    expected: 'a method of this era that is for one of the locked servers',
    found: method.slice(0, 80),
    next: 'Use another method',
  });
}

function completed(message: Request, names: Names): Routed {
  const { ref } = message.params;
  if (!isObject(ref)) throw malformed('a ref');
  if (ref.type === 'ref/prompt')
    return renamed(message, ['ref', 'name'], names.owner('prompts', textOf(ref.name, 'a name')));
  return { alias: names.addressee(textOf(ref.uri, 'a uri')), message };
}

/** The same bytes, but for the name as the server itself has it. */
function renamed(
  message: Request,
  path: readonly string[],
  { alias, name }: { readonly alias: string; readonly name: string },
): Routed {
  const bytes = splice(message.bytes, [{ path: ['params', ...path], value: name }]);
  const [first = '', second] = path;
  const inner = message.params[first];
  const value: Json = second === undefined || !isObject(inner) ? name : { ...inner, [second]: name };
  return { alias, message: { ...message, bytes, params: { ...message.params, [first]: value } } };
}

function textOf(value: Json | undefined, what: string): string {
  if (typeof value === 'string') return value;
  throw malformed(what);
}

function malformed(expected: string): LockkeeperError {
  return new LockkeeperError('FRAME_INVALID', { expected, found: 'none', next: 'Correct the sender' });
}
