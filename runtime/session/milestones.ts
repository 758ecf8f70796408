/** The records of a session’s beginning and end. */
import type { AuditBody } from '../../schemas/audit.ts';
import type { ContentRules } from '../../schemas/content.ts';
import type { LockkeeperError } from '../../schemas/errors.ts';
import type { Era } from '../../schemas/surface.ts';
import type { RunningServer } from '../ports.ts';
import type { Request } from '../wire/message.ts';
import { clientOf } from './era.ts';
import type { SessionEnd } from './options.ts';
import { body, type Scribe } from './records.ts';

export interface Begun {
  /** Of the client, and what its server is spoken to in. */
  readonly era: Era;
  readonly serverEra: Era;
  readonly content: ContentRules;
  readonly process: RunningServer | null;
}

export function began(
  scribe: Scribe,
  first: Request,
  { era, serverEra, content, process: at }: Begun,
): AuditBody {
  const node = process.version;
  const detail = { era, serverEra, node, client: clientOf(first), content, isolation: { ...at?.isolation } };
  return body(scribe, 'session.started', { method: first.method, outcome: 'ok', detail });
}

export function turnedAway(scribe: Scribe, { method }: Request, error: LockkeeperError): AuditBody {
  const { code, message } = error;
  return body(scribe, 'session.refused', { method, outcome: 'refused', code, message });
}

/** `started`: whether its beginning is in the journal. */
export function ended(scribe: Scribe, started: boolean, { reason, error }: SessionEnd): AuditBody {
  const why = error ? { code: error.code, message: error.message } : {};
  const rest = { outcome: error ? 'error' : 'ok', detail: reason, ...why } as const;
  return body(scribe, started ? 'session.ended' : 'session.refused', rest);
}
