/** A bundle at an address after it was approved: newer releases of its repository, and the bytes behind the address. */
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { sha256 } from '../../schemas/json.ts';
import { isMcpbAddress, type McpbRef } from '../../schemas/mcpb.ts';
import { type Static, Type } from '../../schemas/type.ts';
import { isValid } from '../../schemas/validate.ts';
import type { Mark } from '../oci/http.ts';
import type { Offered, Pointed, WatchPorts } from '../watch/ports.ts';
import { versionedTags } from '../watch/versions.ts';
import { askBundle, fetchBundle } from './fetch.ts';

const RELEASES = 'GET /repos/{owner}/{repo}/releases';
/** The newest; each has a handful of files. */
const MOST_RELEASES = 30;
const Releases = Type.Array(
  Type.Object({
    tag_name: Type.String({ maxLength: 300 }),
    draft: Type.Boolean(),
    assets: Type.Array(
      Type.Object({
        name: Type.String({ maxLength: 300 }),
        browser_download_url: Type.String({ maxLength: 1000 }),
        digest: Type.Optional(Type.Union([Type.Null(), Type.String()])),
      }),
    ),
  }),
);
type Asset = Static<typeof Releases>[number]['assets'][number];

type AtAddress = McpbRef & { readonly url: string };
type Ports = Pick<WatchPorts, 'github' | 'environment'>;

/** Releases with a bundle that is called as this one is. Throws SOURCE_UNREACHABLE and SOURCE_INVALID. */
export async function offeredByGithub(
  { url }: AtAddress,
  version: string,
  { github, environment }: Ports,
): Promise<Offered[]> {
  const { hostname, pathname } = new URL(url);
  const [, owner = '', repo = '', tag = '', file = ''] =
    /^\/([^/]+)\/([^/]+)\/releases\/download\/([^/]+)\/([^/]+)$/.exec(pathname) ?? [];
  if (file === '' || (github !== null && hostname !== github.host))
    throw unwatched(`${hostname}, which keeps no list of releases that is read here`);
  if (github === null) throw unwatched('a registry that does not ask GitHub (LOCKKEEPER_GITHUB)');
  const answer = await github.ask(RELEASES, { owner, repo, per_page: MOST_RELEASES });
  if (!isValid(Releases, answer)) throw unwatched(`no releases of ${owner}/${repo}`);
  const published = new Map(answer.filter(({ draft }) => !draft).map((one) => [one.tag_name, one.assets]));
  const own = { tag: decodeURIComponent(tag), version };
  return versionedTags(published.keys(), own).flatMap((one) => {
    const name = decodeURIComponent(file).replaceAll(version, one.version);
    const asset = published.get(one.tag)?.find((candidate) => candidate.name === name);
    const from = `${new URL(url).origin}/${owner}/${repo}/releases/download/`;
    if (!asset?.browser_download_url.startsWith(from) || !isMcpbAddress(asset.browser_download_url))
      return [];
    return [{ version: one.version, source: () => sourceOf(asset, environment) }];
  });
}

/** Its digest as GitHub tells it; else of the bytes, once. */
async function sourceOf(
  { browser_download_url: url, digest }: Asset,
  environment: Ports['environment'],
): Promise<string> {
  const told = /^sha256:[0-9a-f]{64}$/.exec(digest ?? '')?.[0];
  return `mcpb:${url}@${told ?? sha256(await fetchBundle(url, environment))}`;
}

/**
 * `kept` is a digest that was found and the mark that the server gives these bytes: they come only if they are others now.
 * Throws SOURCE_UNREACHABLE, also where the server marks nothing: its bytes are not fetched again at every turn.
 */
export async function pointedByAddress(
  { url, digest }: AtAddress,
  kept: string | null,
  { environment }: Pick<Ports, 'environment'>,
): Promise<Pointed> {
  const [, before = null, name, value] =
    /^(sha256:[0-9a-f]{64})(?: (if-none-match|if-modified-since) (.+))?$/.exec(kept ?? '') ?? [];
  const unless: Mark | null = name === undefined ? null : [name as Mark[0], value ?? ''];
  if (before !== null && unless === null) throw unmarked(url);
  const answer = await askBundle(url, { environment, unless });
  if (answer === 'gone') return { state: 'gone', found: `${url} is gone`, keep: kept };
  const now = answer === 'as before' ? before : sha256(answer.bytes);
  const keep = answer === 'as before' ? kept : [now, ...(answer.mark ?? [])].join(' ');
  if (now === digest) return { state: 'same', found: `${url} is ${digest}`, keep };
  return { state: 'moved', found: `${url}, approved as ${digest}, is ${now}`, keep };
}

function unmarked(url: string): LockkeeperError {
  return new LockkeeperError('SOURCE_UNREACHABLE', {
    expected: `an ETag or a date of change from ${url}`,
    found: 'neither: its bytes would have to be fetched at every turn',
    next: 'Look at the file by hand, or ask whoever keeps it',
  });
}

function unwatched(found: string): LockkeeperError {
  return new LockkeeperError('SOURCE_INVALID', {
    expected: 'a bundle that is a file of a GitHub release',
    found: quote(found, 200),
    next: 'Look for newer versions by hand',
  });
}
