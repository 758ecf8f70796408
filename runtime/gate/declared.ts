/** What a client has to have declared before a server may ask for it: the capability, and the parts of it that are optional. */
import { quote } from '../../schemas/errors.ts';
import { isObject, type Request } from '../wire/message.ts';
import type { MethodRule } from './methods.ts';

/** What it did not declare; null where it may be asked. */
export function undeclared(
  message: Request,
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
function partsOf({ method, params }: Request): string[] {
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
