/** What the gateway needs: who calls, and what stands behind each of its doors. */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { LockkeeperError } from '../../schemas/errors.ts';
import type { Era } from '../../schemas/surface.ts';
import type { Caller } from '../gate/caller.ts';
import type { TlsOptions } from '../identity/certificate.ts';
import type { Identification, Identified } from '../identity/identity.ts';
import type { ClientPort, SessionEnd } from '../session/options.ts';
import type { Message } from '../wire/message.ts';

/** Something that is spoken to as a server is: one locked server, or all of them as one. */
export interface Backend {
  /** Settles when the record of everything taken so far is on the disk. */
  readonly recorded: Promise<unknown>;
  take(message: Message): void;
  /** Runs until it ends; leaves no process behind. */
  run(): Promise<SessionEnd>;
  end(reason: SessionEnd['reason']): void;
}

/** Who opens a door. */
export interface Visit {
  readonly who: Identified;
}

/** What an address of the gateway leads to. */
export interface Door {
  readonly eras: readonly Era[];
  /** Arguments of this tool that clients of the stateless era repeat in headers: header name to argument path. */
  mirrored(tool: string): readonly Mirrored[];
  /** Which locked server it leads to; null: to all of them. */
  readonly alias: string | null;
  /** Why nobody is let in: every request is refused with it. */
  readonly closed?: LockkeeperError;
  open(visit: Visit, port: ClientPort): Backend;
}

export interface Mirrored {
  /** The part behind `Mcp-Param-`. */
  readonly header: string;
  readonly path: readonly string[];
}

export interface GatewayLimits {
  /** Sessions and stateless callers that may be remembered at once, in all and for each caller. */
  readonly sessions: number;
  readonly sessionsEach: number;
  /** Requests that may wait for their answer at once, for each caller, in all of their sessions. */
  readonly waitingEach: number;
  /** Longest message of a client, bytes. */
  readonly messageBytes: number;
  /** A session that nobody used for so long ends, ms. */
  readonly idleMs: number;
  /** How long a client may take for the headers of a request, and for all of it, ms. */
  readonly headersMs: number;
  readonly requestMs: number;
  /** Bytes of requests without an answer, in all and for each caller. */
  readonly heldBytes: number;
  readonly heldBytesEach: number;
  /** Bytes of answers that are kept for clients whose connection broke, in all and for each caller. */
  readonly keptBytes: number;
  readonly keptBytesEach: number;
}

const MIB = 1024 * 1024;

export const LIMITS: GatewayLimits = {
  sessions: 10_000,
  sessionsEach: 1000,
  waitingEach: 256,
  messageBytes: 8 * MIB,
  idleMs: 30 * 60_000,
  headersMs: 10_000,
  requestMs: 30_000,
  heldBytes: 256 * MIB,
  heldBytesEach: 64 * MIB,
  keptBytes: 64 * MIB,
  keptBytesEach: 16 * MIB,
};

export type Trace = (headers: IncomingHttpHeaders) => void;

export interface Plain {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

export interface GatewayOptions {
  readonly host: string;
  readonly port: number;
  readonly tls?: { readonly key: Buffer; readonly cert: Buffer; readonly client?: TlsOptions };
  /** Values of the Host header that are meant for us; a loopback listener knows its own. */
  readonly hosts: readonly string[];
  /** Web pages that may call; a request that names another origin is refused. */
  readonly origins: readonly string[];
  /** Paths and what they lead to. */
  readonly doors: ReadonlyMap<string, Door>;
  readonly identify: (request: IncomingMessage) => Promise<Identification>;
  /** Answers to GET that need no caller: health, metrics, metadata. `from`: the address that asks. */
  readonly plain: (path: string, from: string | undefined) => Plain | null;
  readonly limits: GatewayLimits;
  /** How often whoever waits or listens is asked again who they are, ms. */
  readonly askedMs?: number;
  /** Hears of the headers of the request whose message is handed on next. */
  readonly trace?: Trace;
  /** Hears of every refusal before a message reached a door. */
  readonly refused: (error: LockkeeperError, caller: Caller | null) => void;
  readonly say: (line: string) => void;
}

/**
 * Whom limits are of: one person, with whatever they show and however many credentials they have. Names that only the
 * size of letters tells apart are one, as where a policy refuses.
 */
export function personOf({ caller }: Pick<Identified, 'caller'>): string {
  return caller.user.toLowerCase();
}

/**
 * A session belongs to whom its first request came from: the same credential's principal, and the same of everything
 * that policy may ask of a caller. Who is moved to another team begins anew.
 */
export function ownerOf({ caller, principal, servers }: Identified): string {
  const { user, teams, via, actors } = caller;
  return JSON.stringify([principal, via, user, [...teams].sort(), actors, servers && [...servers].sort()]);
}
