/** Finding releases by the words people use: `filesystem`, `acme/weather@1.2.3`, or a number. */

import { ReleaseList } from '../schemas/api.ts';
import { LockkeeperError, quote } from '../schemas/errors.ts';
import type { Report } from '../schemas/finding.ts';
import { aliasOf } from '../schemas/intent.ts';
import { Release, type Release as ReleaseView } from '../schemas/release.ts';
import type { Api } from './api.ts';

export interface Spec {
  readonly name: string;
  /** What stands behind the last @, or null. */
  readonly version: string | null;
}

/** `@scope/x@1` and `acme/weather@1`: the version is behind the last @ that is not the first character. */
export function parseSpec(spec: string): Spec {
  const at = spec.lastIndexOf('@');
  return at > 0 ? { name: spec.slice(0, at), version: spec.slice(at + 1) } : { name: spec, version: null };
}

/** The whole name, its last part, or what a project would call it. */
export function answersTo(release: Pick<ReleaseView, 'name'>, name: string): boolean {
  return [release.name, release.name.split('/').at(-1), aliasOf(release.name)].includes(name);
}

/** What `lk approve` needs beside a release whose checks are these. */
export function acceptWords(checks: Report['checks']): string {
  const open = checks.filter(({ gates, outcome }) => gates && outcome !== 'ok');
  return open.map(({ id }) => ` --accept "${id}=REASON"`).join('');
}

/** Every release that fits the filter, newest first, read page by page. */
export async function listReleases(
  api: Api,
  query: Readonly<Record<string, string | undefined>>,
): Promise<ReleaseView[]> {
  const all: ReleaseView[] = [];
  let before: string | undefined;
  do {
    const page = await api.call('releases', ReleaseList, { query: { ...query, limit: '100', before } });
    all.push(...page.releases);
    before = page.next === null ? undefined : String(page.next);
  } while (before !== undefined);
  return all;
}

/** What a verb does something to: releases in this state. */
export interface Meant {
  readonly state: ReleaseView['state'];
  /** Whether the only one in that state is meant where no version is named; else every other release makes it unclear. */
  readonly alone: boolean;
}

/** The one release meant by `spec`; the newest when no version is given and nothing is done to it. Throws NOT_FOUND naming what exists. */
export async function findRelease(api: Api, spec: string, meant?: Meant): Promise<ReleaseView> {
  if (/^[1-9][0-9]*$/.test(spec)) return api.call('release', Release, { parameters: { id: spec } });
  const { name } = parseSpec(spec);
  return chosen(await listReleases(api, name.includes('/') ? { name } : {}), spec, meant);
}

/** Out of all there are, newest first. Pure. */
export function chosen(all: readonly ReleaseView[], spec: string, meant?: Meant): ReleaseView {
  const { name, version } = parseSpec(spec);
  const fitting = all.filter(
    (release) => answersTo(release, name) && (version === null || release.version === version),
  );
  const names = new Set(fitting.map((release) => release.name));
  if (names.size > 1) {
    throw new LockkeeperError('NOT_FOUND', {
      expected: 'one server',
      found: `several: ${[...names].join(', ')}`,
      next: 'Use the whole name',
    });
  }
  const [found, other] = fitting;
  if (found && other && version === null && meant) {
    const [fit, another] = fitting.filter(({ state }) => state === meant.state);
    if (fit && !another && meant.alone) return fit;
    throw new LockkeeperError('NOT_FOUND', {
      expected: `one version of ${found.name}, named`,
      found: fitting
        .slice(0, 10)
        .map(({ version: one, state }) => `${one} (${state.replaceAll('_', ' ')})`)
        .join(', '),
      next: `Name it, such as: ${found.name}@${(fit ?? found).version}`,
    });
  }
  if (found) return found;
  const known = all.filter((release) => answersTo(release, name)).map((release) => release.version);
  throw new LockkeeperError('NOT_FOUND', {
    expected: `a release ${quote(spec)}`,
    found: known.length ? `only the versions ${known.slice(0, 10).join(', ')}` : 'no release of that name',
    next: 'List what there is with: lk review',
  });
}
