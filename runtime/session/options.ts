/** What a session is made of, and how it can end. */
import type { Readable } from 'node:stream';
import type { AuditSubject } from '../../schemas/audit.ts';
import type { ContentControls } from '../../schemas/content.ts';
import type { LockkeeperError } from '../../schemas/errors.ts';
import type { LockEntry } from '../../schemas/lock.ts';
import type { Surface } from '../../schemas/surface.ts';
import type { Caller } from '../gate/caller.ts';
import type { Journal } from '../journal/journal.ts';
import type { Breaking } from '../lifecycle/breaker.ts';
import type { Change, Probes } from '../lifecycle/supervisor.ts';
import type { SessionPolicy } from '../policy/session.ts';
import type { EgressEvent, RunningServer } from '../ports.ts';
import type { SessionTelemetry } from '../telemetry/observed.ts';
import type { Revoked } from '../trust/revocations.ts';
import type { OnRevoke } from './quarantine.ts';

/** The client's side of a session, whatever carries it. */
export interface ClientPort {
  /** The answer to the client's request of this key; null: to what was no request. `source` as in `aside`. */
  send(bytes: Buffer, about: string | null, source: Readable | undefined): void;
  /**
   * A request or a notice of the server. `about` is the key of the client's request that it belongs to, where that is
   * known. `source` is held back until the client has taken it.
   */
  aside(bytes: Buffer, about: string | null, source: Readable | undefined): void;
  /** Whether what was asked a while ago may still be done for whoever asked; absent where they never change. Throws why not. */
  assertGood?(): Promise<void>;
  /** The server does not read what it is sent: take nothing more from the client, until `resume`. */
  pause(): void;
  resume(): void;
}

/** How the server behind a session is kept. */
export interface Keeping {
  /** Started when first needed, lists answered from the lock, restarted after a death; or there from first to last. */
  readonly onDemand: boolean;
  readonly breaker: Breaking;
  readonly probes: Probes | null;
  readonly idleMs: number | null;
  /** As of a supervisor. */
  readonly spare?: (rest: (() => void) | null) => void;
}

export interface SessionOptions {
  readonly entry: LockEntry;
  readonly subject: AuditSubject;
  /** The locked surface's texts, whose schemas arguments are judged by. */
  readonly surface: Surface;
  /** What of answers is looked at, and what is done about it. Default: `DEFAULT_CONTENT`. */
  readonly content?: ContentControls;
  /** End of the lock, milliseconds since the epoch: asked for each message, as a newer lock may take its place. */
  readonly lockExpires: () => number;
  readonly caller: Caller;
  /** Absent where the lock carries none: then every locked item may be used. */
  readonly policy?: SessionPolicy;
  readonly journal: Journal;
  /** Starts the sandbox; every connection it asks for is to be told to `record` first. */
  readonly start: (record: (event: EgressEvent) => Promise<void>) => Promise<RunningServer>;
  readonly keeping?: Keeping;
  readonly handshakeMs?: number;
  /** How long a client of the other era than its server’s may take to answer a question. Default: `ANSWER_MS`. */
  readonly answerMs?: number;
  /** How long a call may go without an answer or progress, ms. Default: `CALL_MS`. */
  readonly callMs?: number;
  /** Ends the session as if the client had closed, for whoever is told to stop. */
  readonly stop?: AbortSignal;
  /** Tells when the running release is revoked; what it returns ends the watching. */
  readonly watch?: (revoked: (what: Revoked) => void) => () => void;
  /** What then becomes of calls in flight. Default: `end`. */
  readonly onRevoke?: OnRevoke;
  /** Hears of every change in the server's life, after its record. */
  readonly onState?: (change: Change) => void;
  /** Hears of every call that was forwarded to the server. */
  readonly onCall?: () => void;
  /** Hear when a message is judged; of everything else they hear by its record. */
  readonly telemetry?: readonly SessionTelemetry[];
  readonly say: (line: string) => void;
}

export interface SessionEnd {
  readonly reason: 'client closed' | 'server ended' | 'refused' | 'stopped' | 'revoked';
  readonly error: LockkeeperError | null;
}
