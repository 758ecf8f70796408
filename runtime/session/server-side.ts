/** The server of a conversation: kept by a supervisor, greeted as the lock says, heard by the relay. */
import type { LockkeeperError } from '../../schemas/errors.ts';
import type { Era } from '../../schemas/surface.ts';
import type { LiveSurface } from '../gate/surface.ts';
import { Supervisor } from '../lifecycle/supervisor.ts';
import { assertSurface } from './handshake.ts';
import { reach } from './in-flight.ts';
import type { Link } from './link.ts';
import type { Keeping, SessionOptions } from './options.ts';
import type { Peer } from './peer.ts';
import type { Deafness } from './pressure.ts';
import * as records from './records.ts';
import type { Relay } from './relay.ts';

export const HANDSHAKE_MS = 30_000;

export interface Around {
  readonly scribe: records.Scribe;
  readonly relay: Relay;
  readonly deafness: Deafness;
  readonly live: LiveSurface;
  readonly era: () => Era;
  readonly lost: (error: LockkeeperError) => void;
}

export function serverSide(options: SessionOptions, keeping: Keeping, around: Around): Supervisor<Link> {
  const { journal, start, entry, onState } = options;
  const { scribe, relay, deafness, era, lost } = around;
  const supervisor = new Supervisor<Link>({
    ...keeping,
    server: `${entry.server} ${entry.version}`,
    start: () =>
      start(async (event) => {
        const calls = relay.exchange.fromClient.during(event.from);
        await journal.append(records.egress(scribe, event, calls));
        const [only] = calls;
        if (only && calls.length === 1 && event.outcome === 'allowed')
          reach(only, `${event.host}:${event.port}`);
      }),
    handlers: {
      message: (message) => {
        if (message.kind === 'response') keeping.breaker.succeeded();
        relay.serverMessage(message);
      },
      badLine: (error) => journal.note(records.unbound(scribe, 'to-client', error.message)),
      full: () => deafness.full(),
      drained: () => deafness.drained(),
    },
    greet: (peer) => greet(peer, options, around),
    // The stateless era knows no ping: there, a server that ends is all that can be seen.
    probe: async (peer, timeoutMs) => era() === 'session' && (await peer.ask('ping', {}, timeoutMs)),
    lost,
    changed: (change) => {
      journal.note(records.stateChanged(scribe, change, supervisor.process?.isolation));
      onState?.(change);
      if (change.to === 'DRAINING') relay.unlinked(null);
    },
  });
  return supervisor;
}

/** Is this live server the locked one? Then what its client wished once is wished again. */
async function greet(
  peer: Peer,
  { entry, journal, handshakeMs: timeoutMs = HANDSHAKE_MS }: SessionOptions,
  { scribe, relay, live, era }: Around,
): Promise<Link> {
  const { hello, drifts } = await assertSurface(peer, { entry, era: era(), live, timeoutMs });
  for (const drift of drifts) journal.note(records.drifted(scribe, drift));
  for (const { method, params } of relay.exchange.wishes.all) await peer.ask(method, params, timeoutMs);
  return { peer, hello };
}
