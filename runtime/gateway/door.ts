/** The door to one locked server: a conversation for each session, its server started when a call needs it. */
import type { LockkeeperError } from '../../schemas/errors.ts';
import type { Caller } from '../gate/caller.ts';
import type { CallApprovals } from '../gate/people.ts';
import type { Breakers } from '../lifecycle/breakers.ts';
import { FlowState } from '../policy/flows.ts';
import type { Policy } from '../policy/open.ts';
import type { FlowMemories } from '../policy/remembered.ts';
import { Conversation } from '../session/conversation.ts';
import type { Keeping, SessionOptions } from '../session/options.ts';
import type { Instances } from './instances.ts';
import { mirroredBy } from './mirrored.ts';
import { type Door, personOf } from './ports.ts';

interface Telling extends Pick<SessionOptions, 'onState' | 'onCall'> {
  /** The conversation is over, and its server gone. */
  readonly gone?: () => void;
}

export interface DoorOptions
  extends Omit<SessionOptions, 'caller' | 'policy' | 'keeping' | 'onState' | 'onCall' | 'start'> {
  readonly alias: string;
  readonly policy: Policy;
  readonly approvals: CallApprovals;
  /** What people have read through any server of the gateway. */
  readonly memories: FlowMemories;
  /** Shared by every conversation with this server. */
  readonly breakers: Breakers;
  readonly keeping: Pick<Keeping, 'probes' | 'idleMs'>;
  /** Shared by every server of the gateway. */
  readonly instances: Instances;
  /** Starts a server for one caller, or connects to it for them. */
  readonly startFor: (caller: Caller) => SessionOptions['start'];
  /** What is told of the server that one caller’s conversation keeps. */
  readonly tell: (caller: Caller) => Telling;
}

export function serverDoor(options: DoorOptions): Door {
  const { alias, policy, approvals, memories, breakers, keeping, instances, tell, startFor, surface } =
    options;
  return {
    alias,
    eras: ['session', 'stateless'],
    mirrored: mirroredBy(surface),
    open: ({ who }, port) => {
      const { caller } = who;
      const start = startFor(caller);
      const { gone, ...telling } = tell(caller);
      const person = personOf(who);
      const flow = new FlowState(
        memories.of({ user: caller.user, principal: who.principal }, policy.remembers),
      );
      const session = {
        ...options,
        ...telling,
        caller,
        policy: { policy, server: alias, flow, approvals },
        keeping: {
          ...keeping,
          onDemand: true,
          breaker: breakers.of(person),
          spare: instances.spares(person),
        },
        start: (record: Parameters<typeof start>[0]) => instances.start(person, () => start(record)),
      };
      const conversation = new Conversation(session, port);
      return {
        get recorded() {
          return conversation.recorded;
        },
        take: (message) => conversation.take(message),
        end: (reason) => conversation.end(reason),
        run: () => conversation.run().finally(() => gone?.()),
      };
    },
  };
}

/** The door to a locked server that is refused: a request is told why, and nothing is behind it. */
export function closedDoor(alias: string, closed: LockkeeperError): Door {
  const open = (): never => {
    throw closed;
  };
  return { alias, eras: [], mirrored: () => [], closed, open };
}
