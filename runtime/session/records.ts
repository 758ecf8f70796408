/** The journal's records as one session writes them. */
import type { AuditBody, AuditSubject } from '../../schemas/audit.ts';
import type { Json, JsonObject } from '../../schemas/common.ts';
import type { LockkeeperError } from '../../schemas/errors.ts';
import { digestOf } from '../../schemas/json.ts';
import type { Caller } from '../gate/caller.ts';
import type { Pending } from '../gate/gate.ts';
import type { Decided } from '../gate/permitted.ts';
import type { Judged } from '../gate/results.ts';
import type { Drift } from '../gate/surface.ts';
import type { Journal } from '../journal/journal.ts';
import { namedData, redact, redactName, redactText } from '../journal/redact.ts';
import { summaryOf } from '../journal/summary.ts';
import type { Change } from '../lifecycle/supervisor.ts';
import type { EgressEvent, RunningServer } from '../ports.ts';
import type { Revoked } from '../trust/revocations.ts';
import { isObject, type Message, type Notification, type Request, type Response } from '../wire/message.ts';

export interface Pen {
  readonly journal: Journal;
  readonly session: string;
  readonly caller: Caller;
  /** Null where no one server is concerned. */
  readonly subject: AuditSubject | null;
}

export interface Scribe extends Pen {
  readonly subject: AuditSubject;
}

type Direction = NonNullable<AuditBody['direction']>;

/** What every record of a session holds. */
export function body(scribe: Pen, kind: AuditBody['kind'], rest: Partial<AuditBody>): AuditBody {
  const { journal, session, caller, subject } = scribe;
  const { user, via, teams } = caller;
  const { target, message } = rest;
  return {
    kind,
    at: new Date().toISOString(),
    runtime: journal.id,
    session,
    user,
    caller: { via, teams: [...teams] },
    subject,
    ...rest,
    // Both may quote what somebody sent.
    ...(target === undefined ? {} : { target: redactName(target, journal.key) }),
    ...(message === undefined ? {} : { message: redactText(message, journal.key) }),
  };
}

export function sessionRecord(
  scribe: Scribe,
  kind: 'session.started' | 'session.ended' | 'session.refused',
  rest: Partial<AuditBody>,
): AuditBody {
  return body(scribe, kind, rest);
}

/** What a call said, redacted, with the digest of the whole of it. */
function said(scribe: Pen, message: Request | Notification): Partial<AuditBody> {
  const { _meta, ...rest } = message.params;
  const args: Json =
    message.method === 'tools/call' || message.method === 'prompts/get'
      ? (rest.arguments ?? {})
      : (rest as JsonObject);
  const { kept, whole } = redact(args, scribe.journal.key);
  const data = namedData(whole);
  return {
    arguments: kept,
    argumentsDigest: digestOf(whole),
    ...(data.length ? { data } : {}),
    ...(_meta === undefined ? {} : { detail: { _meta: redact(_meta, scribe.journal.key).kept } }),
  };
}

export function forwarded(
  scribe: Scribe,
  message: Request | Notification,
  at: { direction: Direction; call?: string; target?: string | undefined; decision?: Decided | undefined },
): AuditBody {
  const kind = message.kind === 'request' ? 'request.forwarded' : 'notice.forwarded';
  return body(scribe, kind, {
    direction: at.direction,
    method: message.method,
    ...(at.target === undefined ? {} : { target: at.target }),
    ...(at.call === undefined ? {} : { call: at.call }),
    ...(at.decision === undefined ? {} : { decision: at.decision }),
    ...said(scribe, message),
    bytes: message.bytes.length,
  });
}

export interface Refusal {
  readonly direction: Direction;
  readonly error: LockkeeperError;
  readonly target?: string | undefined;
  readonly decision?: Decided | undefined;
  readonly detail?: Json | undefined;
}

export function refused(scribe: Pen, message: Request | Notification | null, at: Refusal): AuditBody {
  const kind = message?.kind === 'notification' ? 'notice.refused' : 'request.refused';
  return body(scribe, kind, {
    direction: at.direction,
    ...(message ? { method: message.method.slice(0, 200), ...said(scribe, message) } : {}),
    ...(at.target === undefined ? {} : { target: at.target }),
    ...(at.decision === undefined ? {} : { decision: at.decision }),
    ...(at.detail === undefined ? {} : { detail: at.detail }),
    outcome: 'refused',
    code: at.error.code,
    message: at.error.message,
  });
}

export function finished(scribe: Pen, pending: Pending, at: End): AuditBody {
  return body(scribe, 'request.finished', {
    method: pending.method,
    ...(pending.target === undefined ? {} : { target: pending.target }),
    call: pending.call,
    ...(pending.reached ? { data: [...pending.reached] } : {}),
    outcome: at.outcome,
    bytes: at.bytes,
    durationMs: Math.round((performance.now() - pending.since) * 1000) / 1000,
    ...(at.answer === undefined ? {} : { result: summaryOf(at.answer, scribe.journal.key) }),
    ...(at.code === undefined ? {} : { code: at.code }),
    ...(at.message === undefined ? {} : { message: at.message }),
  });
}

/** What was found in a message, by kind and place. */
export function flagged(
  scribe: Pen,
  { found, more, hidden, error }: Omit<Judged<Message>, 'message'>,
  at: { direction: Direction; method: string; call?: string; target?: string | undefined },
): AuditBody {
  return body(scribe, 'content.flagged', {
    direction: at.direction,
    method: at.method,
    ...(at.target === undefined ? {} : { target: at.target }),
    ...(at.call === undefined ? {} : { call: at.call }),
    outcome: error ? 'refused' : 'ok',
    ...(error ? { code: error.code } : {}),
    detail: {
      kinds: [...new Set(found.map(({ kind }) => kind))],
      found: found.map((one) => ({ ...one })),
      more,
      hidden,
    },
  });
}

/** Told from the lock: the server was not asked. */
export function answeredFromLock(scribe: Pen, { method }: Request): AuditBody {
  return body(scribe, 'request.finished', { method, outcome: 'ok', detail: 'answered from the lock' });
}

export function unbound(scribe: Pen, direction: Direction, why: string): AuditBody {
  return body(scribe, 'response.refused', { direction, outcome: 'refused', message: why.slice(0, 600) });
}

export function drifted(
  scribe: Scribe,
  drift:
    | Drift
    | { section: string; key: string; standing: string; fields: readonly string[]; digest: string | null },
): AuditBody {
  return body(scribe, 'surface.drift', {
    target: drift.key.slice(0, 200),
    outcome: 'refused',
    code: 'TOOL_DRIFTED',
    detail: {
      section: drift.section,
      standing: drift.standing,
      fields: [...drift.fields],
      digest: drift.digest,
    },
  });
}

/** Calls that one record names, where it is not known which of them it was. */
const NAMED = 50;

/** Of the one call in flight; with none, or with several, the record says so and attributes it to nobody. */
export function egress(scribe: Scribe, event: EgressEvent, calls: readonly Pending[]): AuditBody {
  const [only] = calls.length === 1 ? calls : [];
  const whose = only
    ? {}
    : { detail: { inFlight: calls.length, calls: calls.slice(0, NAMED).map(({ call }) => call) } };
  return body(scribe, event.outcome === 'allowed' ? 'egress.allowed' : 'egress.refused', {
    ...(only?.target === undefined ? {} : { target: only.target }),
    ...(only ? { call: only.call } : {}),
    data: [`${event.host}:${event.port}`],
    outcome: event.outcome === 'allowed' ? 'ok' : 'refused',
    ...(event.outcome === 'allowed' ? {} : { code: event.code ?? 'EGRESS_REFUSED' }),
    message: `${event.via}: ${event.reason}`,
    ...whose,
  });
}

/** A change in the life of the session's server. `isolation` is what its driver put in place. */
export function stateChanged(
  scribe: Scribe,
  { from, to, event, why }: Change,
  isolation: RunningServer['isolation'] | undefined,
): AuditBody {
  return body(scribe, 'server.state', {
    outcome: to === 'DEAD' ? 'error' : 'ok',
    message: why.slice(0, 600),
    detail: { from, to, event, ...(to === 'READY' && isolation ? { isolation: { ...isolation } } : {}) },
  });
}

/** Who ended the session, and what vouches for it: durable before the kill. */
export function quarantined(scribe: Scribe, revoked: Revoked, onRevoke: string): AuditBody {
  const { error, revokedBy, reason, at, digest, signedBy, doubt } = revoked;
  return body(scribe, 'quarantined', {
    outcome: 'refused',
    code: error.code,
    message: error.message,
    detail: { revokedBy, reason, at, digest, signedBy, doubt, onRevoke },
  });
}

interface End {
  readonly outcome: 'ok' | 'error' | 'lost' | 'refused';
  readonly bytes: number;
  readonly code?: string;
  readonly message?: string;
  readonly answer?: Response;
}

/** How an answered call ended. A tool that failed says so in its result. `refused`: why the answer did not pass. */
export function endOf(answer: Response, refused: LockkeeperError | null = null): End {
  if (refused) {
    const { code, message } = refused;
    return { outcome: 'refused', bytes: answer.bytes.length, answer, code, message };
  }
  const failed = answer.kind === 'error' || (isObject(answer.result) && answer.result.isError === true);
  return { outcome: failed ? 'error' : 'ok', bytes: answer.bytes.length, answer };
}
