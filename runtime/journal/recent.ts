/** The newest records of a journal as they were written: whoever is told of them in time need not read the disk. */
import type { AuditRecord } from '../../schemas/audit.ts';
import type { Place, Step } from './read.ts';

/** Characters of lines that are held; who is further behind reads the segments. */
const HELD = 1024 * 1024;

interface Kept {
  readonly line: string;
  readonly prev: string | null;
  readonly place: Place;
  /** Parsed once for all who are told. */
  record?: AuditRecord;
}

export interface Line {
  readonly line: string;
  readonly seq: number;
  readonly prev: string | null;
  readonly digest: string;
}

export class Recent {
  readonly #held: number;
  #kept: Kept[] = [];
  #size = 0;

  constructor(held = HELD) {
    this.#held = held;
  }

  /** Lines that became durable in a segment, behind `offset`. */
  add(segment: string, offset: number, lines: readonly Line[]): void {
    let end = offset;
    for (const { line, seq, prev, digest } of lines) {
      end += Buffer.byteLength(line);
      this.#kept.push({ line, prev, place: { segment, offset: end, seq, digest } });
      this.#size += line.length;
    }
    let drop = 0;
    while (this.#size > this.#held && drop < this.#kept.length)
      this.#size -= this.#kept[drop++]?.line.length ?? 0;
    if (drop > 0) this.#kept = this.#kept.slice(drop);
  }

  /** What follows a place; null where it is not held any more, or where the place is not one of this chain. */
  after({ seq, digest }: Place): Step[] | null {
    const first = this.#kept[0]?.place.seq;
    const at = first === undefined ? -1 : seq + 1 - first;
    const next = this.#kept[at];
    if (next === undefined) return this.#kept.at(-1)?.place.seq === seq ? [] : null;
    if (next.prev !== digest) return null;
    return this.#kept.slice(at).map((kept) => {
      kept.record ??= JSON.parse(kept.line) as AuditRecord;
      return { record: kept.record, place: kept.place, gap: false };
    });
  }
}
