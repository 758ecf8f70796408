/** What is publicly known against a release by now, whatever its report said when it was scanned. */
import type { AdvisoryList, AffectedRelease } from '../schemas/advisory.ts';
import { card, day, el, soft, tag } from './dom.ts';

/** Null where nothing is. */
export function advisories({ releases: [release] }: AdvisoryList): HTMLElement | null {
  if (!release || release.advisories.length === 0) return null;
  return card(
    'Known against it',
    release.held === null ? null : el('p', {}, tag('fired', 'held'), ` ${release.held}.`),
    el('ul', { class: 'findings' }, ...release.advisories.map(advisory)),
    soft(locksOf(release)),
  );
}

function advisory(one: AffectedRelease['advisories'][number]): HTMLElement {
  const severity = one.severity ?? 'medium';
  const word = one.kind === 'malware' ? 'malware' : (one.severity ?? 'unrated');
  return el(
    'li',
    {},
    tag(`severity-${severity}`, word),
    ' ',
    el('code', {}, one.id),
    ` ${one.summary}`,
    el('pre', {}, `${one.purls.join('\n')}\nmodified ${day(one.modified)} UTC`),
  );
}

function locksOf({ locks }: AffectedRelease): string {
  if (locks.length === 0) return 'No lock that counts names this release.';
  return `Named by locks of ${[...new Set(locks.map(({ project }) => project))].join(', ')}.`;
}
