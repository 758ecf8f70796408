/** The newest records of a journal as they were written: whoever is told of them in time need not read the disk. */
import type { AuditRecord } from '../../schemas/audit.ts';
import type { Place, Step } from './read.ts';

/** Bytes of lines that are held; who is further behind reads the segments. */
const HELD = 1024 * 1024;

/** Lines that were written at once. */
export interface Written {
  readonly segment: string;
  /** Bytes of the segment before them. */
  readonly offset: number;
  readonly bytes: Buffer;
  /** Numbers of the first and the last record. */
  readonly first: number;
  readonly last: number;
}

interface Kept extends Written {
  /** Read once for all who are told, and only if anybody is. */
  steps?: readonly Step[];
}

export class Recent {
  readonly #held: number;
  readonly #kept: Kept[] = [];
  #size = 0;

  constructor(held = HELD) {
    this.#held = held;
  }

  /** They became durable, after all that was added before. */
  add(written: Written): void {
    this.#kept.push({ ...written });
    this.#size += written.bytes.length;
    while (this.#size > this.#held) this.#size -= this.#kept.shift()?.bytes.length ?? 0;
  }

  /** What follows a place; null where it is not held any more, or where the place is not one of this chain. */
  after({ seq, digest }: Place): Step[] | null {
    if (this.#kept.at(-1)?.last === seq) return [];
    const at = this.#kept.findIndex(({ first, last }) => first <= seq + 1 && seq + 1 <= last);
    if (at === -1) return null;
    const steps = this.#kept.slice(at).flatMap((kept) => {
      kept.steps ??= stepsOf(kept);
      return kept.steps;
    });
    const following = steps.filter(({ record }) => record.seq > seq);
    return following[0]?.record.prev === digest ? following : null;
  }
}

function stepsOf({ segment, offset, bytes }: Written): Step[] {
  const steps: Step[] = [];
  for (let from = 0, end = bytes.indexOf(10); end !== -1; end = bytes.indexOf(10, from)) {
    const record = JSON.parse(bytes.toString('utf8', from, end)) as AuditRecord;
    from = end + 1;
    const place = { segment, offset: offset + from, seq: record.seq, digest: record.digest };
    steps.push({ record, place, gap: false });
  }
  return steps;
}
