/** What a session has once its server is known to be the locked one. */
import type { JsonObject } from '../../schemas/common.ts';
import type { GateState } from '../gate/gate.ts';
import type { Peer } from './peer.ts';

/** What a relay may judge and speak with; there is none until the handshake is done. */
export interface Link {
  readonly state: GateState;
  readonly peer: Peer;
  readonly hello: JsonObject;
}
