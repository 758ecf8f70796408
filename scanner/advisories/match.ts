/** Is this version affected? The evaluation that the OSV format describes. Pure. */
import type { Order } from './order.ts';
import { type Affects, familyOf, ORDERS, type Range, type RangeEvent } from './record.ts';

/** Listed versions win: a version that is named is affected whatever the ranges say. Else any one range suffices. */
export function isAffected(
  version: string,
  { ecosystem, versions, ranges }: Pick<Affects, 'ecosystem' | 'versions' | 'ranges'>,
): boolean {
  if (versions.includes(version)) return true;
  const family = familyOf(ecosystem);
  const order = family === null ? undefined : ORDERS[family];
  return order !== undefined && ranges.some((range) => inRange(version, range, order));
}

type Kind = 'fixed' | 'introduced' | 'last_affected';
/** At one version: what was fixed there may be introduced again there, and what was affected last there ends after it. */
const KINDS: readonly Kind[] = ['fixed', 'introduced', 'last_affected'];

/** A version that has no place in the order is in no range. */
function inRange(version: string, { events }: Range, order: Order): boolean {
  if (order(version, version) === null) return false;
  const compare = (a: string, b: string): number => compared(a, b, order);
  const limits = events.flatMap(({ limit }) => limit ?? []);
  if (limits.length > 0 && !limits.some((limit) => limit === '*' || compare(version, limit) < 0))
    return false;
  const steps = events
    .flatMap((event) => KINDS.flatMap((kind) => stepOf(kind, event)))
    .sort((a, b) => compare(a.at, b.at) || KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind));
  let affected = false;
  for (const { kind, at } of steps) {
    const place = compare(version, at);
    if (kind === 'introduced' && place >= 0) affected = true;
    if (kind === 'fixed' && place >= 0) affected = false;
    if (kind === 'last_affected' && place > 0) affected = false;
  }
  return affected;
}

function stepOf(kind: Kind, event: RangeEvent): { kind: Kind; at: string }[] {
  const at = event[kind];
  return at === undefined ? [] : [{ kind, at }];
}

/** `0` is before every version, prereleases of 0.0.0 among them. Bounds are versions: records with others are not read. */
function compared(a: string, b: string, order: Order): number {
  if (a === b) return 0;
  if (a === '0' || b === '*') return -1;
  if (b === '0' || a === '*') return 1;
  return order(a, b) ?? 0;
}
