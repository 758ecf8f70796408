/** What a reviewed server would say of itself, from the lock: no server has to run for it. */
import type { JsonObject } from '../../schemas/common.ts';
import type { Era, Section, Surface } from '../../schemas/surface.ts';
import type { MethodRule } from '../gate/methods.ts';
import { offeredIn } from '../gate/task-terms.ts';
import type { Request } from '../wire/message.ts';
import { STATELESS_VERSION } from './capture.ts';

/** How long a client may keep what it was told in the stateless era, ms. */
const TTL_MS = 60_000;

/** The greeting of the session era as the lock has it. */
export function helloOf(surface: Surface): JsonObject {
  const { serverInfo, instructions } = surface;
  return {
    capabilities: offeredIn('session', surface),
    serverInfo,
    ...(instructions === null ? {} : { instructions }),
  };
}

/** The result of a request that the lock alone answers; null where only the live server can. */
export function knownResult(
  { method, params }: Request,
  rule: MethodRule,
  { surface, era }: { readonly surface: Surface; readonly era: Era },
): JsonObject | null {
  if (method === 'ping' || method === 'logging/setLevel') return {};
  if (rule.greets) return told(era, discovered(surface), surface);
  if (rule.lists === undefined || params.cursor !== undefined || honestlyVaries(surface, rule.lists))
    return null;
  return told(era, { [rule.lists]: Object.values(surface[rule.lists]) }, surface);
}

/** What is discovered of a server in the stateless era, as the lock has it. */
export function discovered(surface: Surface): JsonObject {
  const { instructions } = surface;
  const said = { supportedVersions: [STATELESS_VERSION], capabilities: offeredIn('stateless', surface) };
  return instructions === null ? said : { ...said, instructions };
}

/** A result of the stateless era says how long it may be kept, and by whom it was given. */
export function told(era: Era, result: JsonObject, { serverInfo }: Pick<Surface, 'serverInfo'>): JsonObject {
  if (era === 'session') return result;
  const _meta = { 'io.modelcontextprotocol/serverInfo': serverInfo };
  return { resultType: 'complete', ...result, ttlMs: TTL_MS, cacheScope: 'private', _meta };
}

/** Values that were recorded as volatile are only true of the server that runs. */
function honestlyVaries({ volatile }: Surface, section: Section): boolean {
  return volatile.some((pointer) => pointer.startsWith(`/${section}/`));
}
