/** Names of a message that another reader takes for those that are judged: some decoders do not tell the size of letters apart. */
import { isObject, type Json, type JsonObject } from '../../schemas/common.ts';

/** Without the size of letters, as those decoders compare names (`ſ` is an `s` to them). */
export function folded(text: string): string {
  return text.toUpperCase().toLowerCase();
}

interface Names {
  readonly exact: ReadonlySet<string>;
  readonly folded: ReadonlySet<string>;
}

const namesOf = (names: readonly string[]): Names => ({
  exact: new Set(names),
  folded: new Set(names.map(folded)),
});

const MEMBERS = namesOf(['jsonrpc', 'id', 'method', 'params', 'result', 'error']);
/** Of parameters, and of what stands in them by one of these names. */
const PARAMETERS = namesOf([
  ...['name', 'arguments', 'uri', 'ref', 'type', 'argument', 'value', 'context', '_meta'],
  ...['taskId', 'taskIds', 'task', 'ttl', 'inputResponses', 'requestState', 'requestId', 'progressToken'],
  ...['notifications', 'resourceSubscriptions', 'cursor', 'level'],
  ...['tools', 'toolChoice', 'includeContext', 'mode', 'messages', 'content'],
  ...['status', 'result', 'error', 'inputRequests'],
]);
const WITHIN = ['ref', 'argument', 'context', 'task', 'notifications'] as const;
/** Of a result: what of it is compared with the lock, or judged by its name. */
const RESULTS = namesOf([
  ...['tools', 'prompts', 'resources', 'resourceTemplates', 'tasks', 'completion', 'nextCursor'],
  ...['content', 'contents', 'messages', 'structuredContent', 'isError', '_meta'],
  ...['resultType', 'task', 'taskId', 'status', 'result', 'inputRequests', 'requestState'],
]);
/** Longer names are none of them. */
const LONGEST = 24;

function strangeIn(value: Json | undefined, known: Names): string | null {
  if (!isObject(value)) return null;
  for (const name of Object.keys(value)) {
    if (known.exact.has(name) || name.length > LONGEST) continue;
    if (known.folded.has(folded(name))) return name;
  }
  return null;
}

/** Such a name of the message itself; null where there is none. */
export function strangeMember(message: JsonObject): string | null {
  return strangeIn(message, MEMBERS);
}

/** Such a name of a result. */
export function strangeResult(result: Json): string | null {
  return strangeIn(result, RESULTS);
}

/** Such a name of a question that stands in a result. */
export function strangeQuestion(question: JsonObject): string | null {
  const { params } = question;
  return strangeMember(question) ?? (isObject(params) ? strangeParameter(params) : null);
}

/** Such a name of its parameters. What is in arguments is held against their schema. */
export function strangeParameter(params: JsonObject): string | null {
  let strange = strangeIn(params, PARAMETERS);
  for (const name of WITHIN) strange ??= strangeIn(params[name], PARAMETERS);
  return strange;
}
