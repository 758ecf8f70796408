/** What the judges of evidence share: a thing beside the entry that names it, and what was found so far. */
import type { Envelope } from '../../schemas/dsse.ts';
import type { LockkeeperError } from '../../schemas/errors.ts';
import type { Thing } from '../../schemas/evidence.ts';
import type { LogEntry } from '../../schemas/log.ts';
import { type Head, incomplete } from './head.ts';

/** What was decided, for the reader. */
export interface Decisions {
  readonly submissions: string[];
  readonly verdicts: { release: string; report: string; fired: string[]; unknown: string[] }[];
  readonly approvals: { release: string; person: string; digest: string; environments: string[] }[];
  readonly calls: { call: string; release: string; tool: string; user: string; person: string }[];
  readonly rejections: { release: string; person: string; reason: string }[];
  readonly revocations: { release: string; person: string; reason: string; signed: boolean }[];
  readonly locks: { lock: string; digest: string; issuedAt: string; servers: string[] }[];
}

export interface At {
  readonly head: Head;
  readonly approvals: Map<string, Envelope>;
  readonly decisions: Decisions;
}

export interface Named {
  readonly entry: LogEntry;
  readonly index: number;
  readonly thing: Thing;
}

export function other(entry: LogEntry, found: string): LockkeeperError {
  return incomplete(`the ${entry.kind} of ${entry.subject} with ${entry.digest}, as logged`, found);
}

export function assertDigest(entry: LogEntry, found: string): void {
  if (found !== entry.digest) throw other(entry, `another, with ${found}`);
}

export function assertSubject(entry: LogEntry, found: string): void {
  if (found !== entry.subject) throw other(entry, `one about ${found}`);
}
