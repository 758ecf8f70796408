/** All that a call says to its server: arguments, and whatever its request has beside them. */
import type { Json, JsonObject } from '../../schemas/common.ts';
import { type Redacted, redact, secretMark } from '../journal/redact.ts';
import { isObject } from '../wire/message.ts';

export interface Said extends Redacted {
  /** As `kept`, of what stands beside arguments; null where nothing does. */
  readonly beside: Json;
}

/** What differs each time that the same is sent, or is read by programs on the way. */
const PASSING = new Set(['progressToken', 'traceparent', 'tracestate', 'baggage']);
const PROTOCOL = 'io.modelcontextprotocol/';

/**
 * Answers to questions, a state, a wish for a task, and what else a server may read; null: nothing. A state is a mark, so that
 * whoever reads a record cannot use it.
 */
function besideIn(params: JsonObject, key: Buffer): JsonObject | null {
  let beside: JsonObject | null = null;
  for (const name of Object.keys(params)) {
    if (name === 'name' || name === 'arguments' || name === '_meta') continue;
    beside ??= Object.create(null) as JsonObject;
    const value = params[name] as Json;
    beside[name] = name === 'requestState' && typeof value === 'string' ? secretMark(value, key) : value;
  }
  return beside;
}

/** Of a request that gives arguments to what it names, as records have it. `whole`: of all that it says. */
export function saidIn(params: JsonObject, key: Buffer): Said {
  const { kept, whole } = redact(params.arguments ?? {}, key);
  const others = besideIn(params, key);
  if (others === null) return { kept, whole, beside: null };
  const beside = redact(others, key);
  return { kept, whole: { arguments: whole, ...(beside.whole as JsonObject) }, beside: beside.kept };
}

/** What people decide on, secrets replaced and nothing cut: the arguments where these are all, else the parameters that have them. */
export function shownIn(
  params: JsonObject,
  key: Buffer,
): { readonly shown: JsonObject; readonly isMore: boolean } {
  const meta = isObject(params._meta) ? params._meta : {};
  const own = Object.entries(meta).filter(([name]) => !PASSING.has(name) && !name.startsWith(PROTOCOL));
  const { whole, beside } = saidIn(params, key);
  const said = whole as JsonObject;
  if (own.length === 0) return { shown: said, isMore: beside !== null };
  const _meta = redact(Object.fromEntries(own), key).whole;
  return { shown: { ...(beside === null ? { arguments: said } : said), _meta }, isMore: true };
}
