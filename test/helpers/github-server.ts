/** GitHub's API on the loopback: answers of the real shapes, with ETags and limits, and everything that was asked. */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface RepositorySpec {
  readonly name?: string;
  readonly id?: number;
  readonly archived?: boolean;
  readonly disabled?: boolean;
  readonly fork?: boolean;
  readonly createdAt?: string;
  readonly ownerSince?: string | null;
  /** Name of a tag to its commit; an object is an annotated tag. */
  readonly tags?: Readonly<Record<string, string | { readonly tag: string; readonly commit: string }>>;
  readonly releases?: readonly string[];
  /** Path to its text. */
  readonly files?: Readonly<Record<string, string>>;
}

export interface FakeGithub {
  readonly url: string;
  /** Paths in the order they were asked for. */
  readonly asked: string[];
  /** How many of them were answered with 304. */
  readonly unchanged: () => number;
  readonly authorizations: (string | undefined)[];
  /** From now on, in the place of every answer. */
  answer?: {
    readonly status: number;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: string;
  };
}

export const COMMIT = 'a'.repeat(40);

/** `acme/tool` unless told; what it was called before leads to it as GitHub does. */
export async function openFakeGithub(
  spec: RepositorySpec = {},
  before: readonly string[] = [],
): Promise<FakeGithub & { close(): Promise<void> }> {
  const asked: string[] = [];
  const authorizations: (string | undefined)[] = [];
  let unchanged = 0;
  const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    const path = decodeURIComponent((request.url ?? '').split('?')[0] ?? '');
    asked.push(path);
    authorizations.push(request.headers.authorization);
    if (fake.answer) {
      const { status, headers = {}, body = '{"message":"no"}' } = fake.answer;
      return void response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body);
    }
    const old = before.find((name) => path === `/repos/${name}`);
    if (old) return void response.writeHead(301, { location: `${fake.url}/repositories/1` }).end();
    const found = answerTo(path, spec);
    if (found === null)
      return void response
        .writeHead(404, { 'content-type': 'application/json' })
        .end('{"message":"Not Found"}');
    const body = JSON.stringify(found);
    const etag = `W/"${createHash('sha256').update(body).digest('hex')}"`;
    if (isKnown(request, etag)) {
      unchanged++;
      return void response.writeHead(304, { etag }).end();
    }
    response.writeHead(200, {
      'content-type': 'application/json; charset=utf-8',
      etag,
      'x-ratelimit-remaining': '59',
    });
    response.end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const fake: FakeGithub & { close(): Promise<void> } = {
    ...{ url, asked, unchanged: () => unchanged, authorizations },
    close: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
  return fake;
}

function isKnown({ headers }: IncomingMessage, etag: string): boolean {
  return headers['if-none-match'] === etag;
}

function answerTo(path: string, spec: RepositorySpec): object | null {
  const { name = 'acme/tool', tags = {}, releases = [], files = {} } = spec;
  const [login = ''] = name.split('/');
  const at = `/repos/${name}`;
  if (path === at || path === '/repositories/1') return repositoryOf(name, spec);
  if (path === `/users/${login}`)
    return {
      login,
      id: 9,
      type: 'Organization',
      created_at: spec.ownerSince ?? (spec.ownerSince === null ? undefined : '2015-05-05T05:05:05Z'),
    };
  if (path === `${at}/tags`)
    return Object.keys(tags).map((tag) => ({ name: tag, commit: { sha: COMMIT, url: '' } }));
  const [, ref = ''] = new RegExp(`^${at}/git/ref/tags/(.+)$`).exec(path) ?? [];
  const pointed = Object.hasOwn(tags, ref) ? tags[ref] : undefined;
  if (pointed !== undefined) {
    const object =
      typeof pointed === 'string' ? { type: 'commit', sha: pointed } : { type: 'tag', sha: pointed.tag };
    return { ref: `refs/tags/${ref}`, node_id: 'n', url: '', object: { ...object, url: '' } };
  }
  const [, sha] = new RegExp(`^${at}/git/tags/([0-9a-f]+)$`).exec(path) ?? [];
  const annotated = Object.values(tags).find((one) => typeof one !== 'string' && one.tag === sha);
  if (typeof annotated === 'object')
    return { tag: 'v', sha, message: 'm', object: { type: 'commit', sha: annotated.commit, url: '' } };
  const [, released = ''] = new RegExp(`^${at}/releases/tags/(.+)$`).exec(path) ?? [];
  if (releases.includes(released)) return { id: 5, tag_name: released, draft: false, prerelease: false };
  const [, file = ''] = new RegExp(`^${at}/contents/(.+)$`).exec(path) ?? [];
  const text = Object.hasOwn(files, file) ? files[file] : undefined;
  if (text === undefined) return null;
  const content = Buffer.from(text)
    .toString('base64')
    .replace(/(.{60})/g, '$1\n');
  return { type: 'file', encoding: 'base64', size: text.length, name: file, path: file, content };
}

function repositoryOf(name: string, spec: RepositorySpec): object {
  const [login = '', own = ''] = name.split('/');
  return {
    ...{ id: spec.id ?? 1001, node_id: 'R_1', name: own, full_name: name, private: false },
    owner: { login, id: 9, type: 'Organization', site_admin: false },
    ...{ html_url: `https://github.com/${name}`, description: null, fork: spec.fork ?? false },
    ...{ created_at: spec.createdAt ?? '2020-01-01T00:00:00Z', default_branch: 'main' },
    ...{ archived: spec.archived ?? false, disabled: spec.disabled ?? false, stargazers_count: 70_000 },
  };
}
