/** What wheels of a closure were built with: no part of what runs, and whoever is in it decides what that is. */
import type { BuildPart } from '../../schemas/built.ts';
import type { Closure } from '../../schemas/release.ts';
import type { Named } from './package.ts';

/** Build requirements, each once, in the order of their purls. */
export function toolsOf({ artifacts }: Closure): BuildPart[] {
  const tools = new Map(
    artifacts.flatMap(({ built }) => built?.requires ?? []).map((one) => [one.purl, one]),
  );
  return [...tools.values()].sort((a, b) => (a.purl < b.purl ? -1 : 1));
}

/** As advisories name them. */
export function namedTool({ purl }: Pick<BuildPart, 'purl'>): Named {
  const [, name = '', version = ''] = /^pkg:pypi\/([^@]+)@([^?]+)/.exec(purl) ?? [];
  return { ecosystem: 'PyPI', name, version: decodeURIComponent(version), purl };
}
