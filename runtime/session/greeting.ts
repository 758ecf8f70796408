/** What a greeted session is judged by from then on. */

import type { Era } from '../../schemas/surface.ts';
import type { GateState } from '../gate/gate.ts';
import { argumentCheck } from '../gate/schema.ts';
import type { LiveSurface } from '../gate/surface.ts';
import { taskTerms } from '../gate/task-terms.ts';
import { gatePolicyOf } from '../policy/session.ts';
import { isObject, type Request } from '../wire/message.ts';
import type { Exchange } from './exchange.ts';
import type { SessionOptions } from './options.ts';

export interface Greeted {
  readonly era: Era;
  readonly live: LiveSurface;
  readonly exchange: Exchange;
}

export function gateStateOf(
  first: Request,
  { entry, surface, lockExpires, policy, caller }: SessionOptions,
  { era, live, exchange }: Greeted,
): GateState {
  const declared = first.params.capabilities;
  const { tasks } = exchange;
  return {
    entry,
    era,
    live,
    get lockExpires() {
      return lockExpires();
    },
    checkArguments: argumentCheck(surface),
    clientCapabilities: isObject(declared) ? declared : {},
    now: Date.now,
    fromClient: exchange.fromClient,
    tasks: {
      ...taskTerms(surface, entry, era),
      of: (id) => tasks.of(id),
      hasRoom: (bytes) => tasks.hasRoom(bytes, bytesOfMaking(exchange)),
    },
    ...(policy ? { policy: gatePolicyOf(policy, caller) } : {}),
  };
}

/** Of the calls in flight that may make tasks. */
function bytesOfMaking({ fromClient }: Pick<Exchange, 'fromClient'>): number {
  let bytes = 0;
  for (const { making } of fromClient.values()) bytes += making?.bytes ?? 0;
  return bytes;
}
