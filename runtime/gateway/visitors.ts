/** The callers that are here: how many sessions each has, and what each has read through all of them. */
import { FlowState } from '../policy/flows.ts';
import type { GatewayLimits } from './ports.ts';
import { tooMany } from './refusals.ts';

interface Visitor {
  sessions: number;
  readonly flow: FlowState;
  /** Ends its memory, once its last session is over for long. */
  forget: NodeJS.Timeout | undefined;
}

export class Visitors {
  readonly #limits: Pick<GatewayLimits, 'sessionsEach' | 'idleMs'>;
  readonly #here = new Map<string, Visitor>();

  constructor(limits: Pick<GatewayLimits, 'sessionsEach' | 'idleMs'>) {
    this.#limits = limits;
  }

  /** Counts one session more. Throws HttpRefusal 429. */
  enter(owner: string): FlowState {
    const visitor = this.#here.get(owner) ?? { sessions: 0, flow: new FlowState(), forget: undefined };
    const { sessionsEach } = this.#limits;
    if (visitor.sessions >= sessionsEach) throw tooMany(`${sessionsEach} sessions of one caller`);
    clearTimeout(visitor.forget);
    visitor.sessions++;
    this.#here.set(owner, visitor);
    return visitor.flow;
  }

  /** What was read is remembered on: a model forgets nothing by ending a session and beginning another. */
  leave(owner: string): void {
    const visitor = this.#here.get(owner);
    if (!visitor || --visitor.sessions > 0) return;
    visitor.forget = setTimeout(() => void this.#here.delete(owner), this.#limits.idleMs);
    visitor.forget.unref();
  }
}
