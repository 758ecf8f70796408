/** How large a record and a segment may become, and what a segment is called. */
import type { AuditBody } from '../../schemas/audit.ts';

/** A record of more bytes keeps its digests and loses its texts: a reader has to hold it whole. */
export const MAX_RECORD_BYTES = 8 * 1024 * 1024;

/**
 * The byte that room for records to come is made of, a tab, which no record has: records end before the first of them.
 * What follows was never called durable.
 */
export const ROOM = 9;

/** When a segment is full: a next one is begun. */
export interface SegmentLimits {
  readonly bytes: number;
  /** Milliseconds since its first record. */
  readonly ageMs: number;
}

export const SEGMENT: SegmentLimits = { bytes: 32 * 1024 * 1024, ageMs: Number.POSITIVE_INFINITY };

export function segmentName(number: number): string {
  return `${String(number).padStart(6, '0')}.ndjson`;
}

/** Segments are numbered without holes: one that is missing is a gap. */
export function nextSegment(name: string): string {
  return segmentName(Number(name.slice(0, 6)) + 1);
}

const KEEP = 2000;

/** Who, what and how it ended stay, and the digest of the arguments; texts are cut. */
export function withoutTexts(body: AuditBody, length: number): AuditBody {
  const { arguments: _arguments, data: _data, result: _result, ...rest } = body;
  const texts = Object.entries(rest).map(([name, value]) => [
    name,
    typeof value === 'string' && value.length > KEEP ? `${value.slice(0, KEEP).toWellFormed()}…` : value,
  ]);
  return { ...(Object.fromEntries(texts) as typeof rest), detail: { cutCharacters: length } };
}
