/** Records that nobody waits for. */
import type { AuditBody } from '../../schemas/audit.ts';

/** A record, or what makes it: once this turn is over, and with what it tells of already done. It must not throw. */
export type Noted = AuditBody | (() => AuditBody);

/** The record itself. */
export function bodyOf(noted: Noted): AuditBody {
  return typeof noted === 'function' ? noted() : noted;
}
