/** The journal's records as one session writes them. */
import type { AuditBody, AuditSubject } from '../../schemas/audit.ts';
import type { Json } from '../../schemas/common.ts';
import type { LockkeeperError } from '../../schemas/errors.ts';
import { digestOf } from '../../schemas/json.ts';
import type { Caller } from '../gate/caller.ts';
import type { Pending } from '../gate/gate.ts';
import type { Decided } from '../gate/permitted.ts';
import type { Judged } from '../gate/results.ts';
import { type Said, saidIn } from '../gate/said.ts';
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

/** The millisecond that was written last: records come in bursts. */
let last = { ms: 0, text: '' };

function now(): string {
  const ms = Date.now();
  if (ms !== last.ms) last = { ms, text: new Date(ms).toISOString() };
  return last.text;
}

/** What every record of a session holds. */
export function body(scribe: Pen, kind: AuditBody['kind'], rest: Partial<AuditBody>): AuditBody {
  const { journal, session, caller, subject } = scribe;
  const { user, via, teams } = caller;
  const at = { kind, at: now(), runtime: journal.id, session, user, caller: { via, teams: [...teams] } };
  const made: AuditBody = { ...at, subject, ...rest };
  // Both may quote what somebody sent.
  if (rest.target !== undefined) made.target = redactName(rest.target, journal.key);
  if (rest.message !== undefined) made.message = redactText(rest.message, journal.key);
  return made;
}

/** Adds what a message said, redacted, with the digest of the whole of it. */
function addSaid(made: Partial<AuditBody>, { journal: { key } }: Pen, message: Request | Notification): void {
  const { kept, whole, beside } = saidBy(message, key);
  made.arguments = kept;
  made.argumentsDigest = digestOf(whole);
  const data = namedData(whole);
  if (data.length > 0) made.data = data;
  const { _meta } = message.params;
  if (_meta === undefined && beside === null) return;
  made.detail = {
    ...(beside === null ? {} : { beside }),
    ...(_meta === undefined ? {} : { _meta: redact(_meta, key).kept }),
  };
}

function saidBy({ method, params }: Request | Notification, key: Buffer): Said {
  if (method === 'tools/call' || method === 'prompts/get') return saidIn(params, key);
  const { _meta, ...rest } = params;
  return { ...redact(rest, key), beside: null };
}

export function forwarded(
  scribe: Scribe,
  message: Request | Notification,
  at: {
    direction: Direction;
    call?: string;
    target?: string | undefined;
    decision?: Decided | undefined;
    task?: Pending['task'];
  },
): AuditBody {
  const kind = message.kind === 'request' ? 'request.forwarded' : 'notice.forwarded';
  const made: Partial<AuditBody> = { direction: at.direction, method: message.method };
  if (at.target !== undefined) made.target = at.target;
  if (at.call !== undefined) made.call = at.call;
  if (at.decision !== undefined) made.decision = at.decision;
  addSaid(made, scribe, message);
  if (at.task) made.detail = { ...(isObject(made.detail) ? made.detail : {}), task: at.task.maker.call };
  made.bytes = message.bytes.length;
  return body(scribe, kind, made);
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
  const made: Partial<AuditBody> = { direction: at.direction };
  if (message) {
    made.method = message.method.slice(0, 200);
    addSaid(made, scribe, message);
  }
  if (at.target !== undefined) made.target = at.target;
  if (at.decision !== undefined) made.decision = at.decision;
  if (at.detail !== undefined) made.detail = at.detail;
  const { code, message: why } = at.error;
  return body(scribe, kind, Object.assign(made, { outcome: 'refused', code, message: why }));
}

export function finished(scribe: Pen, pending: Pending, at: End): AuditBody {
  const made: Partial<AuditBody> = { method: pending.method };
  if (pending.target !== undefined) made.target = pending.target;
  made.call = pending.call;
  if (pending.reached) made.data = [...pending.reached];
  made.outcome = at.outcome;
  made.bytes = at.bytes;
  const ms = at.ms ?? performance.now() - pending.since;
  made.durationMs = Math.round(ms * 1000) / 1000;
  if (at.answer !== undefined) made.result = summaryOf(at.answer, scribe.journal.key);
  if (at.code !== undefined) made.code = at.code;
  if (at.message !== undefined) made.message = at.message;
  if (pending.task) made.detail = { task: pending.task.maker.call };
  return body(scribe, 'request.finished', made);
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

/** How a call ended. */
export interface End {
  readonly outcome: 'ok' | 'error' | 'lost' | 'refused';
  readonly bytes: number;
  readonly code?: string;
  readonly message?: string;
  readonly answer?: Response;
  /** Absent: until its record is made. */
  readonly ms?: number;
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
