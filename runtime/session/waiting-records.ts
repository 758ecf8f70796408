/** The journal's records of calls that people are asked about. */
import type { AuditBody } from '../../schemas/audit.ts';
import type { LockkeeperError } from '../../schemas/errors.ts';
import { digestOf } from '../../schemas/json.ts';
import type { Pending } from '../gate/gate.ts';
import type { Ask, Decided } from '../gate/permitted.ts';
import { shownIn } from '../gate/said.ts';
import type { ApprovedCall } from '../trust/call.ts';
import { isObject, type Request } from '../wire/message.ts';
import { body, forwarded, type Scribe } from './records.ts';

type WithDecision = { readonly decision?: Decided | undefined };
type Call = Pick<Pending, 'method' | 'target' | 'call'>;

function about({ method, target, call }: Call, { decision }: WithDecision): Partial<AuditBody> {
  return {
    direction: 'to-server',
    method,
    ...(target === undefined ? {} : { target }),
    call,
    ...(decision === undefined ? {} : { decision }),
  };
}

/** With all that it says, and the digest of what people decide on. */
export function waiting(
  scribe: Scribe,
  message: Request,
  at: Call & WithDecision & { readonly ask?: Ask | undefined },
): AuditBody {
  const { call, target, decision } = at;
  const said = forwarded(scribe, message, { direction: 'to-server', call, target, decision });
  const argumentsDigest = digestOf(shownIn(message.params, scribe.journal.key).shown);
  const detail = { ...(isObject(said.detail) ? said.detail : {}), ...at.ask };
  return { ...said, kind: 'call.waiting', argumentsDigest, detail };
}

export function approved(
  scribe: Scribe,
  call: Call,
  { approvedBy, digest, decision }: ApprovedCall & WithDecision,
): AuditBody {
  const detail = { approvedBy: [...approvedBy], approval: digest };
  return body(scribe, 'call.approved', { ...about(call, { decision }), outcome: 'ok', detail });
}

/** By people, by time, or because it could not go on: it was not forwarded. */
export function rejected(
  scribe: Scribe,
  call: Call,
  { error, decision }: WithDecision & { readonly error: LockkeeperError },
): AuditBody {
  const { code, message } = error;
  return body(scribe, 'call.rejected', { ...about(call, { decision }), outcome: 'refused', code, message });
}

export function withdrawn(scribe: Scribe, call: Call): AuditBody {
  const message = 'cancelled by the client before people decided';
  return body(scribe, 'call.rejected', { ...about(call, {}), outcome: 'lost', message });
}
