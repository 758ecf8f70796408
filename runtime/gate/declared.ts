/** What a client has to have declared before a server may ask for it: the capability, and the parts of it that are optional. */
import type { Json, JsonObject } from '../../schemas/common.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { isObject, type Request } from '../wire/message.ts';
import { strangeQuestion } from '../wire/names.ts';
import type { GateState, Pending } from './gate.ts';
import { type MethodRule, REQUESTS_TO_CLIENT } from './methods.ts';

/** What it did not declare; null where it may be asked. */
export function undeclared(
  message: Pick<Request, 'method' | 'params'>,
  { capability }: MethodRule,
  declared: Readonly<Record<string, unknown>>,
): string | null {
  if (capability === undefined) return null;
  const own = declared[capability];
  if (own === undefined || own === null) return capability;
  const parts = isObject(own as never) ? (own as Readonly<Record<string, unknown>>) : {};
  const missing = partsOf(message).find((part) => !Object.hasOwn(parts, part) && !isImplied(part, parts));
  return missing === undefined ? null : `${capability}.${missing}`;
}

/**
 * An address to open is another thing than a form to fill in. A model that is lent with tools, or with what other servers
 * said, is more than one that is lent.
 */
function partsOf({ method, params }: Pick<Request, 'method' | 'params'>): string[] {
  if (method === 'elicitation/create') {
    const { mode = 'form' } = params;
    return [typeof mode === 'string' ? mode.slice(0, 40) : quote(JSON.stringify(mode), 40)];
  }
  if (method !== 'sampling/createMessage') return [];
  const { tools, toolChoice, includeContext } = params;
  return [
    ...(tools === undefined && toolChoice === undefined ? [] : ['tools']),
    ...(includeContext === 'allServers' ? ['context'] : []),
  ];
}

/** Who declares elicitation and no more can fill in forms. */
function isImplied(part: string, parts: Readonly<Record<string, unknown>>): boolean {
  return part === 'form' && !Object.hasOwn(parts, 'url');
}

/**
 * In the stateless era a server asks by its results, and by the states of tasks: what its client may not be asked; null where
 * there is nothing.
 */
export function askedInVain(
  result: Json | undefined,
  { declared }: Pick<Pending, 'declared'>,
  state: Pick<GateState, 'era' | 'clientCapabilities'> | null,
): LockkeeperError | null {
  if (state?.era !== 'stateless') return null;
  const asked = isObject(result) && isObject(result.inputRequests) ? result.inputRequests : {};
  for (const question of Object.values(asked)) {
    const missing = missingFor(question, declared ?? state.clientCapabilities);
    if (missing === null) continue;
    return new LockkeeperError('RESULT_INVALID', {
      expected: `questions that the client declared itself able to answer`,
      found: `one that takes ${missing}`,
      next: 'The server must do without',
    });
  }
  return null;
}

function missingFor(question: Json, declared: Readonly<Record<string, unknown>>): string | null {
  const { method, params = {} }: JsonObject = isObject(question) ? question : {};
  const rule =
    typeof method === 'string' && Object.hasOwn(REQUESTS_TO_CLIENT, method)
      ? REQUESTS_TO_CLIENT[method]
      : null;
  if (!rule || typeof method !== 'string' || method === 'ping') return 'a method that no client has';
  const strange = isObject(question) ? strangeQuestion(question) : null;
  if (strange !== null) return `the name ${quote(strange, 60)}, in other letters than the protocol’s`;
  return undeclared({ method, params: isObject(params) ? params : {} }, rule, declared);
}
