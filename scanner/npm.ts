/** The npm client's own configuration, and the facts a registry tells about a version. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import pacote from 'pacote';
import { LockkeeperError, quote } from '../schemas/errors.ts';
import type { NpmOptions, Upstream } from './ports.ts';

const run = promisify(execFile);

/** Registry, proxy and credentials as `npm config` has them on this machine. Lockkeeper names no registry of its own. */
export async function npmOptionsOf(cwd: string): Promise<NpmOptions> {
  const { stdout } = await run(
    'npm',
    ['config', 'get', 'registry', 'cache', 'cafile', 'https-proxy', 'strict-ssl'],
    { cwd, timeout: 30_000 },
  );
  const options: Record<string, unknown> = {};
  for (const line of stdout.split('\n')) {
    const [, name, value] = /^([a-z-]+)=(.*)$/.exec(line.trim()) ?? [];
    if (name && value && value !== 'null' && value !== 'undefined')
      options[camel(name)] = value === 'true' ? true : value === 'false' ? false : value;
  }
  return options;
}

function camel(name: string): string {
  return name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

interface Packument {
  readonly versions?: Readonly<Record<string, { maintainers?: unknown; _npmUser?: { name?: unknown } }>>;
  readonly time?: Readonly<Record<string, string>>;
  readonly maintainers?: unknown;
}

async function packumentOf(name: string, npm: NpmOptions): Promise<Packument> {
  try {
    return (await pacote.packument(name, {
      ...npm,
      fullMetadata: true,
      preferOnline: true,
    })) as unknown as Packument;
  } catch (cause) {
    throw unreachable(`the versions of ${name}`, cause);
  }
}

export function unreachable(expected: string, cause: unknown): LockkeeperError {
  const { code, message } = cause as { code?: string; message?: string };
  const gone = code === 'E404' || code === 'ETARGET';
  return new LockkeeperError(gone ? 'SOURCE_INVALID' : 'SOURCE_UNREACHABLE', {
    expected: `${expected} from the package registry`,
    found: quote(`${code ?? ''} ${message ?? ''}`.trim(), 300),
    next: gone ? 'Check the name and the version' : 'Check the registry in npm config and try again',
    cause,
  });
}

/** Publish time and maintainers of one version; null where the registry does not tell them. */
export async function upstreamFacts(name: string, version: string, npm: NpmOptions): Promise<Upstream> {
  const packument = await packumentOf(name, npm);
  const time = packument.time?.[version];
  const listed = packument.versions?.[version]?.maintainers ?? packument.maintainers;
  const names = Array.isArray(listed) ? listed.map(nameOf).filter((item) => item !== null) : [];
  return {
    publishedAt: time !== undefined && !Number.isNaN(Date.parse(time)) ? new Date(time).toISOString() : null,
    maintainers: names.length > 0 ? [...new Set(names)].sort() : null,
  };
}

function nameOf(maintainer: unknown): string | null {
  if (typeof maintainer === 'string') return maintainer;
  const { name, email } = (maintainer ?? {}) as { name?: unknown; email?: unknown };
  return typeof name === 'string' ? `${name}${typeof email === 'string' ? ` <${email}>` : ''}` : null;
}

/** Every version there is, in the registry's order. */
export async function upstreamVersions(name: string, npm: NpmOptions): Promise<string[]> {
  return Object.keys((await packumentOf(name, npm)).versions ?? {});
}
