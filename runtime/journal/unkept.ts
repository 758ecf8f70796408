/** While a journal has no room: what nobody waits for is held for when it has, in bounds, and it is looked whether it has. */
import type { AuditBody, AuditRecord } from '../../schemas/audit.ts';
import { bodyOf, type Noted } from './noted.ts';

/** What a disk or a process runs out of, and has again once somebody made room. Of other failures nobody knows what they left. */
const PASSING: readonly unknown[] = ['ENOSPC', 'EDQUOT', 'EMFILE', 'ENFILE', 'ENOMEM'];
const AGAIN_MS = 1000;
/** Records that are held, and characters of them. */
const MAX_HELD = 1000;
const MAX_TEXT = 16 * 1024 * 1024;

export function isPassing(cause: unknown): boolean {
  return PASSING.includes((cause as NodeJS.ErrnoException).code);
}

export class Unkept {
  readonly bodies: AuditBody[] = [];
  /** Records that were too many. */
  lost = 0;
  #text = 0;
  #timer: NodeJS.Timeout | undefined;
  #next: ((noted: Noted) => void) | null = null;
  readonly #look: () => void;

  constructor(look: () => void) {
    this.#look = look;
    this.again();
  }

  again(): void {
    this.#timer = setTimeout(this.#look, AGAIN_MS).unref();
  }

  /** `next` gets what comes late. */
  end(next: (noted: Noted) => void): void {
    clearTimeout(this.#timer);
    this.#next = next;
  }

  /** Of lines that were not written, those of these numbers are dropped: what they tell of was refused. */
  lines(lines: readonly string[], refused: ReadonlySet<number>): void {
    for (const line of lines) {
      const { seq, body } = JSON.parse(line) as AuditRecord;
      if (!refused.has(seq)) this.#hold(body);
    }
  }

  /** As it is noted otherwise: once this turn is over. Nothing of it stays with what it was made from. */
  soon(noted: Noted): void {
    if (this.bodies.length >= MAX_HELD) this.lost++;
    else setImmediate(() => this.#hold(bodyOf(noted)));
  }

  #hold(body: AuditBody): void {
    if (this.#next) return this.#next(body);
    const { length } = JSON.stringify(body);
    if (this.bodies.length >= MAX_HELD || this.#text + length > MAX_TEXT) this.lost++;
    else {
      this.bodies.push(body);
      this.#text += length;
    }
  }
}
