/** The behaviour of a server of which no tool was called. */
import type { Behaviour, Seen } from '../../schemas/behaviour.ts';

const NOTHING: Seen = { tried: [], read: [], given: [], processes: [], written: [] };

/** `unknown` says why; each tool may have a reason of its own. */
export function uncalled(unknown: string, notCalled: Behaviour['notCalled'] = []): Behaviour {
  return {
    ...{ lockkeeper: 'behaviour/v1', unknown, atStart: NOTHING, calls: [], notCalled, changes: null },
    readsSeen: false,
  };
}
