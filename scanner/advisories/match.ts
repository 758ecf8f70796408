/** Is this version affected? The evaluation that the OSV format describes. Pure. */
import semver from 'semver';
import type { Affects, Range, RangeEvent } from './record.ts';

/** Listed versions win: a version that is named is affected whatever the ranges say. Else any one range suffices. */
export function isAffected(
  version: string,
  { versions, ranges }: Pick<Affects, 'versions' | 'ranges'>,
): boolean {
  if (versions.includes(version)) return true;
  const parsed = semver.parse(version, { loose: true });
  return parsed !== null && ranges.some((range) => inRange(parsed.version, range));
}

type Kind = 'fixed' | 'introduced' | 'last_affected';
/** At one version: what was fixed there may be introduced again there, and what was affected last there ends after it. */
const ORDER: readonly Kind[] = ['fixed', 'introduced', 'last_affected'];

function inRange(version: string, { events }: Range): boolean {
  const limits = events.flatMap(({ limit }) => limit ?? []);
  if (limits.length > 0 && !limits.some((limit) => limit === '*' || below(version, limit))) return false;
  const steps = events
    .flatMap((event) => ORDER.flatMap((kind) => stepOf(kind, event)))
    .sort((a, b) => compare(a.at, b.at) || ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind));
  let affected = false;
  for (const { kind, at } of steps) {
    const order = compare(version, at);
    if (kind === 'introduced' && order >= 0) affected = true;
    if (kind === 'fixed' && order >= 0) affected = false;
    if (kind === 'last_affected' && order > 0) affected = false;
  }
  return affected;
}

function stepOf(kind: Kind, event: RangeEvent): { kind: Kind; at: string }[] {
  const at = event[kind];
  return at === undefined ? [] : [{ kind, at }];
}

function below(version: string, limit: string): boolean {
  return compare(version, limit) < 0;
}

/** `0` is before every version, prereleases of 0.0.0 among them. */
function compare(a: string, b: string): number {
  if (a === b) return 0;
  if (a === '0' || b === '*') return -1;
  if (b === '0' || a === '*') return 1;
  return semver.compare(a, b);
}
