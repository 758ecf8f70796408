/** From the words of `lk publish` to a submission. Throws USAGE or SOURCE_INVALID before anything is sent. */

import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { LockkeeperError, quote } from '../schemas/errors.ts';
import { parseFile } from '../schemas/json.ts';
import { isMcpbSource, mcpbRefOf } from '../schemas/mcpb.ts';
import { isOciSource, type OciRef, type OciTag, ociSourceOf, parsedOci } from '../schemas/oci.ts';
import { isPypiSource, pypiRefOf } from '../schemas/pypi.ts';
import { DEFAULT_LIMITS, type Permissions, type Submission, ToolLabels } from '../schemas/release.ts';
import { hostPortOf, isRemoteSource, type PinWish, type RemoteWish } from '../schemas/remote.ts';
import { assertValid } from '../schemas/validate.ts';
import { flag, list, text, type Values } from './command.ts';

/** What a tag of a container registry means now. */
export type ResolveTag = (tag: OciTag) => Promise<OciRef>;

export async function submissionOf(
  source: string,
  values: Values,
  resolve: ResolveTag = unresolved,
): Promise<Submission> {
  if (isRemoteSource(source)) return remoteSubmission(source, values);
  const image = isOciSource(source);
  const bundle = isMcpbSource(source);
  const other = REMOTE_ONLY.find(
    (name) => values[name] !== undefined && !((image || bundle) && name === 'release'),
  );
  if (other !== undefined)
    throw usage(`--${other}`, 'an address, https://host/path, to go with it', quote(source));
  if (image) return imageSubmission(source, values, resolve);
  if (bundle) return pinnedBundle(source, values);
  if (isPypiSource(source)) {
    const { name, release } = pypiRefOf(source);
    const named = { name: text(values, 'name') ?? `pypi/${name}`, description: `${name} from PyPI` };
    return packageSubmission({ source, version: release, ...named }, values);
  }
  const match = /^npm:((?:@([a-z0-9._~-]+)\/)?([a-z0-9._~-]+))@([0-9][0-9A-Za-z.+-]*)$/.exec(source);
  if (!match) {
    throw new LockkeeperError('SOURCE_INVALID', {
      expected:
        'npm:<name>@<exact version>, such as npm:@modelcontextprotocol/server-memory@2026.8.31, pypi:<name>@<exact version>, oci:<host>/<repository>@sha256:<digest>, mcpb:<file or address>, git:<address>#<tag>, or https://host/path',
      found: quote(source),
      next: 'Name one exact version, not a tag or a range; or the address of a remote server',
    });
  }
  const [, packageName = '', scope, base = '', version = ''] = match;
  const name = text(values, 'name') ?? (scope ? `npm.${scope}/${base}` : `npm/${base}`);
  return packageSubmission({ name, version, source, description: `${packageName} from npm` }, values);
}

/** A bundle that was handed in before: what it is, is not at hand. */
function pinnedBundle(source: string, values: Values): Promise<Submission> {
  const { name } = mcpbRefOf(source);
  const version = text(values, 'release');
  if (version === undefined)
    throw usage('--release', 'the version that the manifest of the bundle says', 'none');
  const named = { name: text(values, 'name') ?? `mcpb/${name}`, description: `${name}, a bundle` };
  return packageSubmission({ source, version, ...named }, values);
}

const unresolved: ResolveTag = async ({ host, repository, tag }) => {
  throw new LockkeeperError('SOURCE_INVALID', {
    expected: `${host}/${repository} by its digest`,
    found: `the tag ${tag}`,
    next: 'Resolve it first: it means something else tomorrow',
  });
};

/** Its version is the tag where that is one; a digest alone has none that a range could choose. */
async function imageSubmission(source: string, values: Values, resolve: ResolveTag): Promise<Submission> {
  const parsed = parsedOci(source);
  if (parsed === null) {
    throw new LockkeeperError('SOURCE_INVALID', {
      expected: 'oci:<host>/<repository>:<tag> or oci:<host>/<repository>@sha256:<digest>, in small letters',
      found: quote(source, 400),
      next: 'Name the host too, such as docker.io/library/NAME',
    });
  }
  const tag = 'tag' in parsed ? parsed.tag : null;
  const version = text(values, 'release') ?? versionIn(tag);
  if (version === null)
    throw usage('--release', 'a version for this image, such as --release 1.0.0', tag ?? 'a digest alone');
  const ref = 'tag' in parsed ? await resolve(parsed) : parsed;
  const [name = '', ...above] = ref.repository.split('/').reverse();
  const host = ref.host.replace(/:\d+$/, '').split('.').reverse();
  const space = [...host, ...above.reverse()].join('.').replaceAll('_', '-');
  const named = { name: text(values, 'name') ?? `${space}/${name}`, source: ociSourceOf(ref), version };
  const description = `${ref.host}/${ref.repository}${tag === null ? '' : `:${tag}`}, an image`;
  return packageSubmission({ ...named, description }, values);
}

function versionIn(tag: string | null): string | null {
  return /^v?([0-9]+[.][0-9]+[.][0-9]+(?:-[0-9A-Za-z.-]+)?)$/.exec(tag ?? '')?.[1] ?? null;
}

type Named = Pick<Submission, 'name' | 'version' | 'source' | 'description'>;

/** As it is asked for, with what the options say. */
export async function packageSubmission(named: Named, values: Values): Promise<Submission> {
  return {
    ...named,
    description: text(values, 'description') ?? named.description.slice(0, 100),
    args: list(values, 'arg'),
    projectArgs: flag(values, 'project-args'),
    permissions: { ...permissionsOf(values), ...(await labelsIn(values)) },
  };
}

const REMOTE_ONLY = ['release', 'transport', 'pin', 'ca', 'private'] as const;
const LOCAL_ONLY = ['arg', 'project-args', 'mount', 'env', 'secret', 'egress', 'memory'] as const;

async function remoteSubmission(source: string, values: Values): Promise<Submission> {
  const other = LOCAL_ONLY.find((name) => values[name] !== undefined);
  if (other !== undefined)
    throw usage(`no --${other}`, 'a remote server without it: nothing is started here', `--${other}`);
  const version = text(values, 'release');
  const url = URL.canParse(source) ? new URL(source) : null;
  if (url === null || url.search !== '' || url.hash !== '' || url.username !== '' || url.password !== '') {
    throw new LockkeeperError('SOURCE_INVALID', {
      expected: 'https://host/path without user, query and fragment',
      found: quote(source, 200),
      next: 'Leave them out: keys are given to the runtime, not to everybody who reads the lock',
    });
  }
  if (version === undefined)
    throw usage('--release', 'a version for this address, such as --release 1.0.0', 'none');
  return {
    name: text(values, 'name') ?? `${url.hostname.split('.').reverse().join('.')}/mcp`,
    version,
    source: url.href,
    description: text(values, 'description') ?? `${url.hostname}, a remote server`.slice(0, 100),
    args: [],
    projectArgs: false,
    permissions: {
      egress: [hostPortOf(url.href)],
      mounts: [],
      env: [],
      limits: DEFAULT_LIMITS,
      ...(await labelsIn(values)),
    },
    remote: await wishOf(values),
  };
}

async function wishOf(values: Values): Promise<RemoteWish> {
  const transport = text(values, 'transport') ?? 'streamable-http';
  if (transport !== 'streamable-http' && transport !== 'http-sse')
    throw usage('--transport', 'streamable-http or http-sse', quote(transport));
  const pin = list(values, 'pin').map(pinOf);
  const ca = text(values, 'ca');
  return {
    transport,
    reach: flag(values, 'private') ? 'private' : 'public',
    pin: pin.length > 0 ? [...new Set(pin)] : ['leaf', 'issuer'],
    ca: ca === undefined ? null : await certificatesOf(ca),
  };
}

function pinOf(word: string): PinWish {
  if (word === 'leaf' || word === 'issuer') return word;
  throw usage('--pin', 'leaf or issuer', quote(word));
}

/** The certificates of a file in their one written form, without what else stands in it. */
async function certificatesOf(path: string): Promise<string> {
  const bytes = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw usage('--ca', 'a file of certificates that can be read', quote(String(cause), 200));
  });
  const blocks = bytes.match(/-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g) ?? [];
  try {
    if (blocks.length > 0) return blocks.map((block) => new X509Certificate(block).toString()).join('');
  } catch (cause) {
    throw usage('--ca', 'certificates', quote(String(cause), 200));
  }
  throw usage('--ca', 'certificates in PEM', 'none in that file');
}

function usage(option: string, expected: string, found: string): LockkeeperError {
  return new LockkeeperError('USAGE', {
    expected: `${option}: ${expected}`,
    found,
    next: 'See: lk publish --help',
  });
}

/** What tools read and send, from a file: `{"fetch": ["reads-untrusted", "sends-out"]}`. */
async function labelsIn(values: Values): Promise<Pick<Permissions, 'labels'>> {
  const path = text(values, 'labels');
  if (path === undefined) return {};
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw usage('--labels', 'a file that can be read', quote(String(cause), 200));
  });
  return { labels: assertValid(ToolLabels, parseFile(bytes, path), path) };
}

function permissionsOf(values: Values): Permissions {
  const memory = Number(text(values, 'memory') ?? DEFAULT_LIMITS.memoryMiB);
  if (!Number.isInteger(memory)) {
    throw new LockkeeperError('USAGE', {
      expected: '--memory as a whole number of MiB',
      found: quote(String(values.memory)),
      next: 'See: lk publish --help',
    });
  }
  const secrets = list(values, 'secret');
  return {
    egress: list(values, 'egress'),
    mounts: list(values, 'mount').map(mountOf),
    env: list(values, 'env'),
    ...(secrets.length > 0 ? { secrets } : {}),
    limits: { ...DEFAULT_LIMITS, memoryMiB: memory },
  };
}

function mountOf(word: string): Permissions['mounts'][number] {
  const match = /^(\/[^:]+):(ro|rw)$/.exec(word);
  const [, target, mode] = match ?? [];
  if (target !== undefined && (mode === 'ro' || mode === 'rw')) return { target, mode };
  throw new LockkeeperError('USAGE', {
    expected: '--mount /folder:ro or /folder:rw',
    found: quote(word),
    next: 'See: lk publish --help',
  });
}
