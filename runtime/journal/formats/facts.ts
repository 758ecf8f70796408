/** What every format says of a record, whatever the names it has for it. */
import type { AuditBody, AuditKind, AuditRecord } from '../../../schemas/audit.ts';

export type Level = 'info' | 'notice' | 'warning' | 'error';

/** Kinds that are more than information. What is not named is information. */
const LEVELS: Partial<Record<AuditKind, Level>> = {
  'session.refused': 'warning',
  'request.refused': 'warning',
  'notice.refused': 'warning',
  'response.refused': 'warning',
  'surface.drift': 'error',
  'egress.refused': 'warning',
  quarantined: 'error',
  'journal.recovered': 'notice',
  'journal.pruned': 'notice',
  'journal.lost': 'warning',
  'flows.forgotten': 'warning',
  'server.state': 'notice',
  'call.waiting': 'notice',
  'call.approved': 'notice',
  'call.rejected': 'warning',
  'content.flagged': 'warning',
};

export function levelOf({ kind, outcome }: AuditBody): Level {
  const level = LEVELS[kind] ?? 'info';
  return level === 'info' && outcome !== undefined && outcome !== 'ok' ? 'notice' : level;
}

/** One record among all journals: what a receiver knows a repeated one by. */
export function uidOf({ seq, body }: AuditRecord): string {
  return `${body.runtime}#${seq}`;
}

/** `request.refused` -> `request refused` */
export function titleOf(kind: AuditKind): string {
  return kind.replace('.', ' ');
}

/** Host and port of a connection's record. */
export function endpointOf({ kind, data }: AuditBody): { host: string; port: number } | null {
  const found = kind.startsWith('egress.') ? /^(.*):(\d{1,5})$/s.exec(data?.[0] ?? '') : null;
  return found ? { host: found[1] ?? '', port: Number(found[2]) } : null;
}

/**
 * The record with less and less of its texts, whole first. Who, what and how it ended are in all of them; a receiver finds
 * the rest in the journal, by journal and number.
 */
export function* shorter(record: AuditRecord): Generator<{ record: AuditRecord; cut: boolean }> {
  yield { record, cut: false };
  const { detail: _detail, result: _result, ...body } = record.body;
  yield { record: { ...record, body }, cut: true };
  const { arguments: _arguments, ...spare } = body;
  yield { record: { ...record, body: spare }, cut: true };
  for (const [length, items] of [
    [300, 10],
    [60, 3],
    [16, 1],
  ] as const)
    yield { record: { ...record, body: spareTexts(spare, length, items) }, cut: true };
}

function spareTexts(body: AuditBody, length: number, items: number): AuditBody {
  const text = (value: string): string =>
    value.length > length ? `${value.slice(0, length).toWellFormed()}…` : value;
  const list = (values: readonly string[]): string[] => values.slice(0, items).map(text);
  const { caller, subject, data, ...rest } = body;
  const texts = Object.entries(rest).map(([name, value]) => [
    name,
    // Names that the schema bounds are what a receiver looks for.
    typeof value === 'string' && !['kind', 'at', 'runtime', 'argumentsDigest'].includes(name)
      ? text(value)
      : value,
  ]);
  return {
    ...(Object.fromEntries(texts) as Omit<AuditBody, 'subject'>),
    subject: subject && {
      ...subject,
      server: text(subject.server),
      version: text(subject.version),
      approvedBy: list(subject.approvedBy),
    },
    ...(caller ? { caller: { via: text(caller.via), teams: list(caller.teams) } } : {}),
    ...(data ? { data: list(data) } : {}),
  };
}
