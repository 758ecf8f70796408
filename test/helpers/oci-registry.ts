/** A container registry on the loopback, as the distribution API has it: what a test lays in, the scanner finds. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { onTestFinished } from 'vitest';
import type { Blob, Image } from './image.ts';

export interface OciRegistry {
  /** Name and port. */
  readonly host: string;
  /** Method-less lines of what was asked for: path, and how it was signed in. */
  readonly requests: readonly string[];
  push(image: Pick<Image, 'blobs'> & Partial<Image>, tag?: string): void;
  /** From now on the tag is nowhere. */
  untag(tag: string): void;
  /** One more manifest, by digest and, where given, by tag. */
  put(manifest: Blob, tag?: string): void;
  /** What refers to a digest; without a call there is no such list (404). */
  refer(digest: string, index: Blob): void;
  /** Its list of what refers to a digest goes on and on. */
  goOn(digest: string): void;
}

export interface OciOptionsOfTest {
  /** `user:password` that everybody has to have, by token or as it is. */
  readonly login?: { readonly scheme: 'basic' | 'bearer'; readonly pair: string };
  /** Other bytes for a digest or a tag; `endless` never ends. */
  readonly instead?: Readonly<Record<string, Buffer | 'endless'>>;
  /** Digest to where it says that the blob went. */
  readonly moved?: (digest: string, host: string) => string | undefined;
  readonly type?: string;
  /** Realm in place of the registry's own. */
  readonly realm?: string;
}

const TOKEN = 'a-token-for-reading';

/** Never ends. */
function* endless(): Generator<Buffer> {
  for (;;) yield Buffer.alloc(16_384);
}

/** Ends with the test, or when `atEnd` says. */
export async function startOciRegistry(
  options: OciOptionsOfTest = {},
  atEnd: (undo: () => Promise<void>) => void = onTestFinished,
): Promise<OciRegistry> {
  const manifests = new Map<string, Blob>();
  const blobs = new Map<string, Blob>();
  const referrers = new Map<string, Blob>();
  const requests: string[] = [];
  const endlessLists = new Set<string>();
  let host = '';
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    const { pathname, search } = new URL(request.url ?? '/', `http://${host}`);
    requests.push(`${pathname}${search} ${request.headers.authorization ?? '-'}`);
    if (pathname === '/token') return token(request, response, options);
    if (!isSignedIn(request, options)) return challenge(response, host, options);
    if (pathname.endsWith('/tags/list')) return tagsList(response, { manifests, search, pathname });
    const [, repository, kind, reference = ''] =
      /^\/v2\/(.+)\/(manifests|blobs|referrers)\/([^/]+)$/.exec(pathname) ?? [];
    if (pathname.startsWith('/elsewhere/')) return send(response, blobs.get(pathname.slice(11)), options);
    if (repository === undefined) return void response.writeHead(404).end();
    const to = kind === 'blobs' ? options.moved?.(reference, host) : undefined;
    if (to !== undefined) return void response.writeHead(307, { location: to }).end();
    if (kind === 'referrers' && endlessLists.has(reference))
      response.setHeader('link', `<${pathname}?n=1>; rel="next"`);
    const held = kind === 'manifests' ? manifests : kind === 'blobs' ? blobs : referrers;
    send(response, held.get(reference), options, reference);
  };
  const server = createServer({ keepAliveTimeout: 60_000 }, answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  atEnd(async () => {
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  });
  const put = (manifest: Blob, tag?: string): void => {
    manifests.set(manifest.digest, manifest);
    if (tag !== undefined) manifests.set(tag, manifest);
  };
  return {
    host,
    requests,
    put,
    untag: (tag) => void manifests.delete(tag),
    push: ({ manifest, index, blobs: parts }, tag) => {
      if (manifest) put(manifest);
      if (index) put(index, tag);
      for (const part of parts) blobs.set(part.digest, part);
    },
    goOn: (digest) => void endlessLists.add(digest),
    refer: (digest, index) => void referrers.set(digest, index),
  };
}

/** Two to a page, whatever is asked for. */
function tagsList(
  response: ServerResponse,
  at: {
    readonly manifests: ReadonlyMap<string, Blob>;
    readonly search: string;
    readonly pathname: string;
  },
): void {
  const tags = [...at.manifests.keys()].filter((name) => !name.startsWith('sha256:')).sort();
  const last = new URLSearchParams(at.search).get('last');
  const from = last === null ? 0 : tags.indexOf(last) + 1;
  const page = tags.slice(from, from + 2);
  if (from + 2 < tags.length)
    response.setHeader('link', `<${at.pathname}?n=2&last=${page.at(-1)}>; rel="next"`);
  response
    .writeHead(200, { 'content-type': 'application/json' })
    .end(JSON.stringify({ name: 'x', tags: page }));
}

function send(
  response: ServerResponse,
  blob: Blob | undefined,
  { instead = {}, type }: OciOptionsOfTest,
  reference = '',
): void {
  const other = instead[reference];
  if (!blob) return void response.writeHead(404, { 'content-type': 'application/json' }).end('{"errors":[]}');
  response.writeHead(200, {
    'content-type': type ?? blob.mediaType,
    'docker-content-digest': blob.digest,
  });
  if (other === 'endless') return void Readable.from(endless()).pipe(response);
  response.end(other ?? blob.bytes);
}

function basicOf(pair: string): string {
  return `Basic ${Buffer.from(pair).toString('base64')}`;
}

function isSignedIn({ headers }: IncomingMessage, { login }: OciOptionsOfTest): boolean {
  if (!login) return true;
  return headers.authorization === (login.scheme === 'basic' ? basicOf(login.pair) : `Bearer ${TOKEN}`);
}

function challenge(response: ServerResponse, host: string, { login, realm }: OciOptionsOfTest): void {
  const bearer = `Bearer realm="${realm ?? `http://${host}/token`}",service="${host}",scope="repository:x:pull,push"`;
  const how = login?.scheme === 'basic' ? 'Basic realm="here"' : bearer;
  response.writeHead(401, { 'www-authenticate': how }).end();
}

function token({ headers }: IncomingMessage, response: ServerResponse, { login }: OciOptionsOfTest): void {
  if (login && headers.authorization !== basicOf(login.pair)) return void response.writeHead(401).end();
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ token: TOKEN }));
}
