/** What a session has of its server while it runs and is known to be the locked one. */
import type { JsonObject } from '../../schemas/common.ts';
import type { Peer } from './peer.ts';

export interface Link {
  readonly peer: Peer;
  /** The greeting that was compared with the lock. */
  readonly hello: JsonObject;
}
