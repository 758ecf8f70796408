/** A server can tell its clients apart by the name they give. One that shows each another surface is not what was reviewed. */
import type { JsonObject } from '../schemas/common.ts';
import { diffSurfaces } from '../schemas/diff/surfaces.ts';
import type { LockkeeperError } from '../schemas/errors.ts';
import { pinSurface, type Surface } from '../schemas/surface.ts';

/** A client that many servers are used with, as it calls itself. */
export const OTHER_CLIENT: JsonObject = { name: 'claude-code', version: '2.1.330' };

export interface ByClient {
  /** The other name. */
  readonly client: string;
  /** Where what it was shown differs; empty where nothing does. */
  readonly differs: readonly string[];
  /** Why nothing is known of it. */
  readonly failed: string | null;
}

/** Of what was scanned before another name was tried. */
export const NOT_ASKED: ByClient = {
  client: String(OTHER_CLIENT.name),
  differs: [],
  failed: 'its scan tried one name alone; scan it again',
};

/** What varies from start to start is no difference between clients. */
export function byClient(surface: Surface, other: Surface | LockkeeperError): ByClient {
  const client = String(OTHER_CLIENT.name);
  if (other instanceof Error) return { client, differs: [], failed: other.message };
  const { capture, volatile } = surface;
  const same = { ...other, capture, volatile };
  if (pinSurface(same).digest === pinSurface(surface).digest) return { client, differs: [], failed: null };
  const places = [...new Set(diffSurfaces(surface, same).map(({ at }) => at))];
  const differs = places.filter((at) => !volatile.includes(at));
  return { client, differs: differs.length > 0 ? differs : ['the surface as a whole'], failed: null };
}
