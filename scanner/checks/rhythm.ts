import type { PublishedVersion, Upstream } from '../ports.ts';
import { type Check, finding, firedOr, unknown } from './check.ts';

type Found = ReturnType<typeof finding>;
type Timed = PublishedVersion & { readonly at: string };

const DAY_MS = 86_400_000;
const DORMANT_DAYS = 365;
const BURST = 5;
const BURST_MS = 10 * 60_000;

/** Accounts are taken over where nobody looks, and worms publish faster than people. */
export const rhythm: Check = {
  id: 'LK-REL-02',
  title: 'Published in the rhythm of before',
  owasp: 'MCP04',
  about: 'package',
  run: ({ upstream }) => {
    if (typeof upstream === 'string') return unknown(upstream);
    const { publishedAt, history } = upstream;
    if (publishedAt === null || history === null)
      return unknown('the package registry does not tell when its versions were published');
    if (!isOrigin(upstream))
      return unknown('the package registry tells of no publisher: a proxy may have its own dates');
    const times = history.filter((one): one is Timed => one.at !== null);
    return firedOr(
      [...dormant(publishedAt, times), ...burst(publishedAt, times)],
      `${times.length} versions so far`,
    );
  },
};

/** A caching proxy writes its own dates, and leaves publishers out. An index tells dates of files, and nobody's name. */
function isOrigin({ history, slice }: Upstream): boolean {
  return typeof slice.uploaded === 'string' || history?.some(({ publisher }) => publisher !== null) === true;
}

function dormant(publishedAt: string, times: readonly Timed[]): Found[] {
  const [last] = times
    .map(({ at }) => at)
    .filter((at) => at < publishedAt)
    .sort()
    .reverse();
  if (last === undefined) return [];
  const days = Math.floor((Date.parse(publishedAt) - Date.parse(last)) / DAY_MS);
  if (days <= DORMANT_DAYS) return [];
  const evidence = [{ kind: 'change', at: 'published', before: last, after: publishedAt }] as const;
  return [finding('high', `published after ${days} days in which nothing was`, evidence)];
}

function burst(publishedAt: string, times: readonly Timed[]): Found[] {
  const at = Date.parse(publishedAt);
  const near = times.filter((one) => Math.abs(Date.parse(one.at) - at) <= BURST_MS);
  if (near.length < BURST) return [];
  const value = near
    .map(({ version, at: when }) => `${version} ${when}`)
    .join(', ')
    .slice(0, 1000);
  const evidence = [{ kind: 'fact', source: 'package registry, time', value }] as const;
  return [finding('high', `one of ${near.length} versions within minutes`, evidence)];
}
