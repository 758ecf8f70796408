/** Which repositories a package's own files name, in the one form that certificates have. */
import type { UnpackedFile } from '../../runtime/store/unpack.ts';
import { textIn } from '../../runtime/store/wheel.ts';
import { parseStrict } from '../../schemas/json.ts';

const SHORT_HOSTS: Readonly<Record<string, string>> = { github: 'github.com', gitlab: 'gitlab.com' };
/** Labels under which Python packages name their repository. */
const LABELS = /^(?:repository|source|source ?code|code|github|gitlab|homepage|home-page)$/i;

export interface ClaimedRepository {
  /** `https://host/owner/name`. */
  readonly url: string;
  /** Folder of the package in it; empty for its root. */
  readonly directory: string;
}

/** `https://host/owner/name` of any form that npm and git write, or null for what is no repository. */
export function repositoryUrl(text: string): string | null {
  const short = /^(?:(github|gitlab):)?([\w.-]+)\/([\w.-]+?)(?:\.git)?(?:#.*)?$/.exec(text);
  if (short) return `https://${SHORT_HOSTS[short[1] ?? 'github']}/${short[2]}/${short[3]}`;
  const plain = text.replace(/^git\+/, '').replace(/^(?:ssh:\/\/)?git@([^:/]+)[:/]/, 'ssh://git@$1/');
  if (!URL.canParse(plain)) return null;
  const { protocol, hostname, pathname } = new URL(plain);
  if (!['https:', 'http:', 'ssh:', 'git:'].includes(protocol)) return null;
  const [owner, name] = pathname.split('/').filter((part) => part !== '');
  if (owner === undefined || name === undefined) return null;
  return `https://${hostname}/${owner}/${name.replace(/\.git$/, '')}`;
}

/** The root of the repository at this address, or none. */
export function claimedAt(address: string | null): ClaimedRepository[] {
  const url = address === null ? null : repositoryUrl(address.trim());
  return url === null ? [] : [{ url, directory: '' }];
}

/** The folder that an address of a host's own page names, such as `…/tree/main/packages/a`. */
function directoryIn(address: string): string {
  const path = URL.canParse(address) ? new URL(address).pathname : '';
  return /^\/[^/]+\/[^/]+\/tree\/[^/]+\/(.+?)\/?$/.exec(path)?.[1] ?? '';
}

/** From `repository` of a package.json. */
export function claimedByNpm(files: readonly UnpackedFile[]): ClaimedRepository[] {
  const { repository } = manifestOf(files) as { repository?: unknown };
  const { url, directory } = (typeof repository === 'string' ? { url: repository } : (repository ?? {})) as {
    url?: unknown;
    directory?: unknown;
  };
  const own = typeof url === 'string' && url.length < 1000 ? repositoryUrl(url.trim()) : null;
  if (own === null) return [];
  const folder = typeof directory === 'string' ? directory : directoryIn(String(url).replace(/^git\+/, ''));
  return [{ url: own, directory: folder.replace(/^\.?\/|\/$/g, '') }];
}

function manifestOf(files: readonly UnpackedFile[]): object {
  const text = textIn(files, 'package.json');
  const json = text === null ? null : parseStrict(text.replace(/^\ufeff/, ''));
  return json !== null && typeof json === 'object' ? json : {};
}

/** From `Project-URL` and `Home-page` of a wheel's metadata. */
export function claimedByWheel(files: readonly UnpackedFile[]): ClaimedRepository[] {
  const path = files.find((file) => /^[^/]+\.dist-info\/METADATA$/.test(file.path))?.path;
  const [head = ''] = (path === undefined ? '' : (textIn(files, path) ?? '')).split(/\r?\n\r?\n/);
  const found = new Map<string, string>();
  for (const line of head.split(/\r?\n/)) {
    const [, key = '', value = ''] = /^(Project-URL|Home-page):(.*)$/i.exec(line) ?? [];
    const comma = /^Home/i.test(key) ? -1 : value.indexOf(',');
    const label = comma < 0 ? key : value.slice(0, comma).trim();
    const address = value.slice(comma + 1).trim();
    if (!LABELS.test(label) || /\s/.test(address)) continue;
    const url = URL.canParse(address) ? repositoryUrl(address) : null;
    if (url !== null && found.size < 10 && !found.has(url)) found.set(url, directoryIn(address));
  }
  return [...found].map(([url, directory]) => ({ url, directory }));
}
