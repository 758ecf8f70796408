/** Which repository of a package GitHub is asked for, and under which names its version may be tagged there. */
import { asLockkeeperError } from '../../schemas/errors.ts';
import { pypiName } from '../../schemas/pypi.ts';
import type { Baseline } from '../ports.ts';
import type { ClaimedRepository } from '../provenance/claimed.ts';
import { type Attested, builtIn } from '../provenance/standing.ts';
import type { Github } from './client.ts';
import { lookAtRepository, type RepositoryFacts, type Wanted } from './look.ts';

export interface Package {
  readonly purl: string;
  readonly attested: Attested;
  readonly claimed: readonly ClaimedRepository[];
  readonly baseline: Pick<Baseline, 'origin'> | null;
}

/** The facts, or why nothing is known. Throws nothing that GitHub says or leaves out. */
export async function repositoryOf(github: Github | null, one: Package): Promise<RepositoryFacts | string> {
  if (github === null) return 'this scanner does not ask GitHub';
  const wanted = wantedOf(github.host, one);
  if (typeof wanted === 'string') return wanted;
  return lookAtRepository(github, wanted).catch((thrown: unknown) => {
    const { expected, found } = asLockkeeperError(thrown);
    return `expected ${expected}, found ${found}`;
  });
}

function wantedOf(host: string, { purl, attested, claimed, baseline }: Package): Wanted | string {
  const own = claimed.find(({ url }) => new URL(url).hostname.toLowerCase() === host);
  if (own === undefined)
    return claimed.length === 0 ? 'the package names no repository' : `its repository is not at ${host}`;
  const [, owner = '', name = ''] = new URL(own.url).pathname.split('/');
  const { builder } = builtIn(attested) ?? {};
  const [, built] = /^refs\/tags\/(.+)$/.exec(builder?.ref ?? '') ?? [];
  return {
    ...{ owner, name, directory: own.directory },
    manifest: manifestOf(purl),
    tags: [...new Set([...(built === undefined ? [] : [built]), ...tagNames(purl)])],
    before: baseline?.origin?.repository?.tag ?? null,
  };
}

/** The file in a repository that names the package. */
function manifestOf(purl: string): string {
  if (/^pkg:generic\/.*\?checksum=/.test(purl)) return 'manifest.json';
  return purl.startsWith('pkg:pypi/') ? 'pyproject.toml' : 'package.json';
}

/** Name and version of a purl. */
export function packageIn(purl: string): { readonly name: string; readonly version: string } {
  const [, name = '', version = ''] = /^pkg:[a-z]+\/(.+?)@([^@?#]*)(?:[?#].*)?$/.exec(purl) ?? [];
  return { name: decodeURIComponent(name), version: decodeURIComponent(version) };
}

function tagNames(purl: string): string[] {
  const { name, version } = packageIn(purl);
  const base = name.split('/').at(-1) ?? name;
  return [
    `v${version}`,
    version,
    `${name}@${version}`,
    `${base}@${version}`,
    `${base}-v${version}`,
    `${base}/v${version}`,
    `${base}-${version}`,
  ];
}

/** Are these two the same name in their package registry? */
export function isNamed(purl: string, name: string): boolean {
  const own = packageIn(purl).name;
  return purl.startsWith('pkg:pypi/') ? pypiName(own) === pypiName(name) : own === name;
}
