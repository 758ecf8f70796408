/** What a line of a policy says, before it is Cedar. */
import type { Section } from '../../schemas/surface.ts';
import type { Predicate } from './arguments/predicate.ts';

/** The rule that keeps what was read from being sent out, as records name it. */
export const FLOWS_RULE = 'toxic flows';

/** Whose sessions are one in toxic flows, and how long what they read counts, ms. */
export interface Remembers {
  readonly by: 'person' | 'credential';
  readonly ms: number;
}

const HOUR_MS = 3_600_000;
export const MAX_REMEMBERED_MS = 30 * 24 * HOUR_MS;
export const REMEMBERS: Remembers = { by: 'person', ms: 8 * HOUR_MS };

/** Not of what people are asked about because of what was read: nobody is asked about anything but a call. */
export function lets({ effect, rule }: { readonly effect: string; readonly rule: string }): boolean {
  return effect === 'allow' || (effect === 'ask' && rule !== FLOWS_RULE);
}

/** `everyone` who was vouched for; `anyone` besides. */
export type Who =
  | { readonly kind: 'everyone' }
  | { readonly kind: 'anyone' }
  | { readonly kind: 'team'; readonly name: string }
  | { readonly kind: 'user'; readonly name: string };

/** What a tool has to be, by its annotations and labels in the lock. */
export type Need =
  | 'readOnly'
  | '!readOnly'
  | 'destructive'
  | 'openWorld'
  | '!openWorld'
  | 'readsUntrusted'
  | 'readsPrivate'
  | 'sendsOut';

export interface Selection {
  readonly kinds: readonly Section[];
  /** Aliases of the lock; empty: every server. */
  readonly servers: readonly string[];
  /** Empty: every item of these kinds. */
  readonly names: readonly string[];
  readonly needs: readonly Need[];
}

export interface Conditions {
  readonly environments: readonly string[];
  readonly where: readonly Predicate[];
  readonly weekdays: readonly string[];
  /** Minutes of the day, from and before; over midnight where the second is the smaller one. */
  readonly between: readonly [number, number] | null;
  /** The last day, as the number YYYYMMDD. */
  readonly until: number | null;
  /** How long people may take, minutes. */
  readonly minutes: number | null;
}

export type Ask = { readonly people: 1 | 2; readonly minutes: number };

/** At most so many calls in so many ms: of each person for each server, or of all whom the line is about together. */
export interface Rate {
  readonly calls: number;
  readonly ms: number;
  readonly together: boolean;
}

export interface Rule {
  readonly line: number;
  readonly text: string;
  readonly who: readonly Who[];
  readonly effect: 'permit' | 'forbid';
  /** Of a forbidding rule: people may lift it, call by call. */
  readonly ask: Ask | null;
  /** Of a rule that bounds how often, and forbids nothing else. */
  readonly rate: Rate | null;
  readonly selection: Selection;
  readonly conditions: Conditions;
}

/** The names that a policy may speak of. */
export interface Names {
  /** Alias -> server name and its items. */
  readonly servers: ReadonlyMap<
    string,
    { readonly server: string; readonly items: Readonly<Record<Section, readonly string[]>> }
  >;
}
