/** What an index says of one project: its files, what it promises of each, and which were withdrawn. */
import { wheelName } from '../../runtime/store/wheel.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { parseStrict } from '../../schemas/json.ts';
import { type IndexClient, unreachable } from './http.ts';

const JSON_TYPE = 'application/vnd.pypi.simple.v1+json';
const ACCEPT = `${JSON_TYPE}, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1`;
const MAX_PAGE_BYTES = 64 * 1024 * 1024;

export interface IndexFile {
  readonly file: string;
  readonly url: string;
  /** Lower-case hex; null where the index promises none. */
  readonly sha256: string | null;
  /** Why it was withdrawn; null when it was not. */
  readonly yanked: string | null;
  /** Which Pythons it is for, as its maintainers say; null where they say nothing. */
  readonly requires: string | null;
  readonly uploadedAt: string | null;
  /** Where its attestations are, as the index says; null where it names none. */
  readonly provenance: string | null;
}

/** The files of a project, or null when this index has no such project. Throws SOURCE_UNREACHABLE. */
export async function projectFiles(
  index: string,
  name: string,
  client: IndexClient,
): Promise<IndexFile[] | null> {
  const what = `the files of ${name}`;
  const want = { accept: ACCEPT, maxBytes: MAX_PAGE_BYTES, what };
  const { status, type, body, url } = await client.get(`${index}/${name}/`, want);
  if (status === 404 || status === 410) return null;
  if (status !== 200) throw unreachable({ what }, `HTTP ${status}`);
  try {
    const json = type.startsWith(JSON_TYPE) || type.startsWith('application/json');
    return json ? filesInJson(body, url) : filesInHtml(body.toString('utf8'), url);
  } catch (cause) {
    if (!(cause instanceof LockkeeperError) && !(cause instanceof TypeError)) throw cause;
    const found = cause instanceof LockkeeperError ? cause.found : cause.message;
    throw unreachable({ what: `a page with ${what}` }, quote(found, 200), cause);
  }
}

/** The version of a wheel or a source archive, as its name tells. */
export function versionIn(file: string, name: string): string | null {
  const wheel = wheelName(file);
  if (wheel) return wheel.name === name ? wheel.version : null;
  return /-([^-]+?)\.(?:tar\.(?:gz|bz2|xz)|tgz|zip)$/.exec(file)?.[1] ?? null;
}

interface JsonFile {
  readonly filename?: unknown;
  readonly url?: unknown;
  readonly hashes?: { readonly sha256?: unknown } | null;
  readonly yanked?: unknown;
  readonly 'requires-python'?: unknown;
  readonly 'upload-time'?: unknown;
  readonly provenance?: unknown;
}

function filesInJson(body: Buffer, base: string): IndexFile[] {
  const { files } = parseStrict(body, { maxBytes: MAX_PAGE_BYTES }) as { files?: unknown };
  if (!Array.isArray(files)) throw new TypeError('a page without a list of files');
  return files.flatMap((one: JsonFile) => {
    if (typeof one?.filename !== 'string' || typeof one.url !== 'string') return [];
    const time = one['upload-time'];
    const known = typeof time === 'string' && !Number.isNaN(Date.parse(time));
    return {
      file: one.filename,
      url: new URL(one.url, base).href,
      sha256: hexOf(one.hashes?.sha256),
      requires: typeof one['requires-python'] === 'string' ? one['requires-python'] : null,
      yanked: one.yanked === true ? 'no reason given' : typeof one.yanked === 'string' ? one.yanked : null,
      uploadedAt: known ? new Date(time).toISOString() : null,
      provenance: typeof one.provenance === 'string' ? one.provenance : null,
    };
  });
}

/** The older form: one link a file, the digest behind its #. */
function filesInHtml(text: string, base: string): IndexFile[] {
  const root = /<base\s[^<>]*href\s*=\s*"([^"]*)"/i.exec(text)?.[1] ?? '';
  return [...text.matchAll(/<a\s([^<>]*)>/gi)].flatMap(([, attributes = '']) => {
    const attribute = (name: string): string | null => {
      const found = new RegExp(`(?:^|\\s)${name}\\s*=\\s*(?:"([^"]*)"|'([^']*)')`, 'i').exec(attributes);
      return found ? decoded(found[1] ?? found[2] ?? '') : null;
    };
    const href = attribute('href');
    if (href === null) return [];
    const url = new URL(href, new URL(root, base));
    const [, digest] = /sha256=([0-9a-fA-F]{64})/.exec(url.hash) ?? [];
    url.hash = '';
    const file = decodeURIComponent(url.pathname.split('/').at(-1) ?? '');
    const provenance = attribute('data-provenance');
    const reason = attribute('data-yanked') ?? (/(?:^|\s)data-yanked(?:\s|$)/i.test(attributes) ? '' : null);
    const yanked = reason === '' ? 'no reason given' : reason;
    const requires = attribute('data-requires-python');
    return [{ file, url: url.href, sha256: hexOf(digest), requires, yanked, uploadedAt: null, provenance }];
  });
}

function decoded(text: string): string {
  const named: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" };
  return text.replace(/&(amp|lt|gt|quot|#39);/g, (whole, name: string) => named[name] ?? whole);
}

function hexOf(value: unknown): string | null {
  return typeof value === 'string' && /^[0-9a-fA-F]{64}$/.test(value) ? value.toLowerCase() : null;
}
