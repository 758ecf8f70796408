/** How a session ends: its server stops, what stayed unanswered is told, and the last record is written. */
import { asLockkeeperError } from '../../schemas/errors.ts';
import type { Bridge } from '../bridge/ports.ts';
import { inTime } from '../deadline.ts';
import type { Supervisor } from '../lifecycle/supervisor.ts';
import type { Backpressure } from './backpressure.ts';
import type { Link } from './link.ts';
import * as milestones from './milestones.ts';
import type { SessionEnd } from './options.ts';
import { RECORD_MS } from './quarantine.ts';
import type { Scribe } from './records.ts';
import type { Relay } from './relay.ts';

const STOP_GRACE_MS = 2000;

export interface Closing {
  readonly relay: Relay;
  readonly server: Supervisor<Link>;
  readonly backpressure: Backpressure;
  readonly bridge: Bridge | undefined;
  readonly scribe: Scribe;
  /** Settles when the client is greeted or refused. */
  readonly greeting: Promise<void>;
  /** Whether its beginning is in the journal: asked once its server is gone. */
  readonly started: () => boolean;
  readonly say: (line: string) => void;
}

/** Leaves no process behind. Never rejects. */
export async function close(end: SessionEnd, closing: Closing): Promise<void> {
  const { relay, backpressure, bridge, scribe, started, say } = closing;
  backpressure.over();
  relay.end();
  bridge?.over();
  await stop(end, closing);
  relay.exchange.abandon(end.reason, end.error);
  if (!started() && !end.error) return;
  await scribe.journal
    .append(milestones.ended(scribe, started(), end))
    .catch((thrown: unknown) => say(asLockkeeperError(thrown).message));
}

/** Whatever waits on the disk goes out first; a revoked server is not waited for. */
async function stop(end: SessionEnd, { relay, server, greeting }: Closing): Promise<void> {
  if (end.reason !== 'revoked') {
    await relay.exchange.tail;
    return server.end(end.reason, STOP_GRACE_MS);
  }
  await server.end(end.reason, 0);
  await inTime(
    greeting.then(() => relay.exchange.tail),
    RECORD_MS,
  );
}
