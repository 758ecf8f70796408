/** The life of one server instance: every change of state goes through `next`, and each is one record. */
import type { ServerState } from '../../schemas/fleet.ts';

export type State = ServerState;

/**
 * wanted: a message needs it. greeted: it is the locked one. failed: it did not start, or is not the locked one. ended: it
 * died. unwell, well: a probe's word. rest: nothing needs it, or whoever runs it is told to stop. stopped: it is gone.
 * revoked: its release is.
 */
export type LifeEvent =
  | 'wanted'
  | 'greeted'
  | 'failed'
  | 'ended'
  | 'unwell'
  | 'well'
  | 'rest'
  | 'stopped'
  | 'revoked';

const TABLE: Readonly<Record<State, Partial<Readonly<Record<LifeEvent, State>>>>> = {
  COLD: { wanted: 'STARTING', revoked: 'QUARANTINED' },
  STARTING: { greeted: 'READY', failed: 'DEAD', ended: 'DEAD', rest: 'DRAINING', revoked: 'QUARANTINED' },
  READY: { unwell: 'DEGRADED', ended: 'DEAD', rest: 'DRAINING', revoked: 'QUARANTINED' },
  DEGRADED: { well: 'READY', ended: 'DEAD', rest: 'DRAINING', revoked: 'QUARANTINED' },
  DEAD: { wanted: 'STARTING', rest: 'COLD', revoked: 'QUARANTINED' },
  DRAINING: { stopped: 'COLD', revoked: 'QUARANTINED' },
  QUARANTINED: {},
};

/** The state after an event; null where the event changes nothing. */
export function next(state: State, event: LifeEvent): State | null {
  return TABLE[state][event] ?? null;
}
