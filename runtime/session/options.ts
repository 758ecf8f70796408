/** What a session is made of, and how it can end. */
import type { Readable, Writable } from 'node:stream';
import type { AuditSubject } from '../../schemas/audit.ts';
import type { LockkeeperError } from '../../schemas/errors.ts';
import type { LockEntry } from '../../schemas/lock.ts';
import type { Surface } from '../../schemas/surface.ts';
import type { Journal } from '../journal/journal.ts';
import type { EgressEvent, SandboxedProcess } from '../ports.ts';
import type { Revoked } from '../trust/revocations.ts';
import type { OnRevoke } from './quarantine.ts';

export interface SessionOptions {
  readonly entry: LockEntry;
  readonly subject: AuditSubject;
  /** The locked surface's texts, whose schemas arguments are judged by. */
  readonly surface: Surface;
  /** End of the lock, milliseconds since the epoch. */
  readonly lockExpires: number;
  readonly user: string;
  readonly journal: Journal;
  readonly client: { readonly input: Readable; readonly output: Writable };
  /** Starts the sandbox; every connection it asks for is to be told to `record` first. */
  readonly start: (record: (event: EgressEvent) => Promise<void>) => Promise<SandboxedProcess>;
  readonly handshakeMs?: number;
  /** Ends the session as if the client had closed, for whoever is told to stop. */
  readonly stop?: AbortSignal;
  /** Tells when the running release is revoked; what it returns ends the watching. */
  readonly watch?: (revoked: (what: Revoked) => void) => () => void;
  /** What then becomes of calls in flight. Default: `end`. */
  readonly onRevoke?: OnRevoke;
  readonly say: (line: string) => void;
}

export interface SessionEnd {
  readonly reason: 'client closed' | 'server ended' | 'refused' | 'stopped' | 'revoked';
  readonly error: LockkeeperError | null;
}
