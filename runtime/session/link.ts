/** What a session has of its server while it runs and is known to be the locked one. */
import type { JsonObject } from '../../schemas/common.ts';
import type { Era } from '../../schemas/surface.ts';
import type { Peer } from './peer.ts';

export interface Link {
  readonly peer: Peer;
  /** What the server itself speaks. */
  readonly era: Era;
  /** The greeting that was compared with the lock, as the client's era has it. */
  readonly hello: JsonObject;
}
