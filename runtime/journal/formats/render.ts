/** One record in one format, within so many bytes, whatever it holds. */
import type { AuditRecord } from '../../../schemas/audit.ts';
import type { RecordFormat } from '../../../schemas/sinks.ts';
import { cef } from './cef.ts';
import { shorter, uidOf } from './facts.ts';
import { ocsf } from './ocsf.ts';
import { jsonLine } from './text.ts';

export interface Rendering {
  readonly format: RecordFormat;
  /** The machine that says it. */
  readonly host: string;
  readonly maxBytes: number;
}

/**
 * A line without its end: JSON for `native` and `ocsf`. A native record that was not cut is the journal's own, whose
 * digest can be checked; one that was says `"cut":true`.
 */
export function render(record: AuditRecord, { format, host, maxBytes }: Rendering): string {
  for (const { record: less, cut } of shorter(record)) {
    const text = rendered(less, { format, host, cut });
    if (Buffer.byteLength(text) <= maxBytes) return text;
  }
  const { seq, digest, body } = record;
  const { kind, outcome, code } = body;
  const user = body.user.slice(0, 64);
  const least = { seq, digest, uid: uidOf(record), kind, user, outcome, code: code?.slice(0, 32), cut: true };
  return jsonLine(least);
}

function rendered(record: AuditRecord, at: { format: RecordFormat; host: string; cut: boolean }): string {
  switch (at.format) {
    case 'native':
      return jsonLine(at.cut ? { ...record, cut: true } : record);
    case 'ocsf':
      return jsonLine(ocsf(record, at.host, at.cut));
    case 'cef':
      return cef(record, at.cut);
  }
}
