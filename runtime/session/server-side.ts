/** The server of a conversation: kept by a supervisor, greeted as the lock says, heard by the relay. */
import { LockkeeperError } from '../../schemas/errors.ts';
import type { Era } from '../../schemas/surface.ts';
import type { Bridge } from '../bridge/ports.ts';
import { boundTo } from '../gate/gate.ts';
import type { LiveSurface } from '../gate/surface.ts';
import { Breaker } from '../lifecycle/breaker.ts';
import { type Probes, Supervisor } from '../lifecycle/supervisor.ts';
import { parseMessage, refusalOf, type Unread } from '../wire/message.ts';
import type { Backpressure } from './backpressure.ts';
import { assertSurface } from './handshake.ts';
import { reach } from './in-flight.ts';
import { TOO_LOUD, Unasked } from './limits.ts';
import type { Link } from './link.ts';
import type { Keeping, SessionOptions } from './options.ts';
import type { Peer } from './peer.ts';
import { pulseOf } from './pulse.ts';
import * as records from './records.ts';
import type { Relay } from './relay.ts';

export const HANDSHAKE_MS = 30_000;

/** Once a minute in which it was used, the lists of a server that is there for one client are read again. */
const READINGS: Probes = {
  ...{ everyMs: 60_000, timeoutMs: HANDSHAKE_MS, listsEvery: 1, ifUsed: true },
  // It is not ended for a list that cannot be read: nobody would start it again.
  failures: Number.POSITIVE_INFINITY,
};

/** The server is there from the first word to the last. */
export function held(): Keeping {
  return { onDemand: false, breaker: new Breaker(), probes: READINGS, idleMs: null };
}

export interface Around {
  readonly scribe: records.Scribe;
  readonly relay: Relay;
  readonly backpressure: Backpressure;
  readonly live: LiveSurface;
  /** What the server is spoken to in. */
  readonly era: () => Era;
  /** Stands between where the client speaks the other era. */
  readonly bridge: () => Bridge | null;
  readonly lost: (error: LockkeeperError) => void;
}

export function serverSide(options: SessionOptions, keeping: Keeping, around: Around): Supervisor<Link> {
  const { journal, start, entry, onState } = options;
  const { scribe, relay, backpressure, lost } = around;
  const said = new Unasked();
  const supervisor = new Supervisor<Link>({
    ...keeping,
    server: `${entry.server} ${entry.version}`,
    start: () =>
      start(async (event) => {
        const calls = relay.exchange.atWork(event.from);
        await journal.append(records.egress(scribe, event, calls));
        const [only] = calls;
        if (only && calls.length === 1 && event.outcome === 'allowed')
          reach(only, `${event.host}:${event.port}`);
      }),
    handlers: {
      message: (message) => {
        const bridge = around.bridge();
        // What nobody asked for is no sign of health; behind a bridge, ids are its own.
        if (message.kind === 'response' && (bridge || boundTo(message, relay.exchange.fromClient)))
          keeping.breaker.succeeded();
        if (!bridge) return relay.serverMessage(message);
        // What it answers or drops itself is counted by nobody behind it.
        if (said.take(message)) bridge.hear(message);
        else relay.exchange.fail(TOO_LOUD);
      },
      unread: (answer) => {
        const bridge = around.bridge();
        if (bridge) return bridged(answer, bridge, around);
        if (boundTo(answer, relay.exchange.fromClient)) keeping.breaker.succeeded();
        relay.serverMessage(answer);
      },
      badLine: (error) => journal.note(records.unbound(scribe, 'to-client', error.message)),
      full: () => backpressure.full(),
      drained: () => backpressure.drained(),
    },
    greet: (peer) => greet(peer, options, around),
    probe: pulseOf(options, around, keeping.probes?.listsEvery),
    lost,
    changed: (change) => {
      journal.note(records.stateChanged(scribe, change, supervisor.process?.isolation));
      onState?.(change);
      if (change.to !== 'DRAINING') return;
      relay.unlinked(null);
      around.bridge()?.over();
    },
  });
  return supervisor;
}

/** Between two eras an answer is read here, and its refusal is heard in its place. */
function bridged(answer: Unread, bridge: Bridge, { relay, scribe }: Around): void {
  const read = relay.exchange.content.read(answer);
  if (!(read instanceof LockkeeperError)) return bridge.hear(read);
  relay.exchange.note(records.unbound(scribe, 'to-client', read.message));
  bridge.hear(parseMessage(refusalOf(answer.id, read)));
}

/** Is this live server the locked one? Then what its client wished once is wished again. */
async function greet(
  peer: Peer,
  { entry, journal, handshakeMs: timeoutMs = HANDSHAKE_MS }: SessionOptions,
  { scribe, relay, live, era, bridge }: Around,
): Promise<Link> {
  const spoken = era();
  const { hello, drifts } = await assertSurface(peer, { entry, era: spoken, live, timeoutMs });
  for (const drift of drifts) journal.note(records.drifted(scribe, drift));
  // Its client may have begun anew meanwhile, and need no bridge any more.
  const between = bridge();
  if (between) return { peer: between.begin(peer), hello: between.hello, era: spoken };
  for (const { method, params } of relay.exchange.wishes.all) await peer.ask(method, params, timeoutMs);
  return { peer, hello, era: spoken };
}
