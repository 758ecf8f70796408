/** A Python package index on the loopback, in both of its forms: what a test publishes, pip and the scanner find. */
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { onTestFinished } from 'vitest';

export interface Listed {
  readonly name: string;
  readonly file: string;
  readonly bytes: Buffer;
  /** What the index promises instead; null: nothing. */
  readonly sha256?: string | null;
  /** Other bytes than the promised ones. */
  readonly served?: Buffer;
  readonly yanked?: string;
  readonly uploadedAt?: string;
  /** Which Pythons it is for. */
  readonly requires?: string;
  /** Where the index says that it is. */
  readonly url?: string;
  /** What the index answers when asked for its attestations. */
  readonly attestations?: Uint8Array;
}

export interface PypiIndex {
  /** As pip takes it, without a slash at the end. */
  readonly url: string;
  /** Paths asked for so far, in order. */
  readonly requests: readonly string[];
  /** Values of `authorization` so far. */
  readonly credentials: readonly string[];
}

export interface IndexOptions {
  readonly form?: 'json' | 'html';
  /** Whom it never answers. */
  readonly silent?: (request: { readonly agent: string }) => boolean;
  /** Path to where it says that it went; `/long` never ends. */
  readonly moved?: Readonly<Record<string, string>>;
  /** What it tells of a project beside its files, by name. */
  readonly projects?: Readonly<Record<string, object>>;
}

/** Never ends. */
function* endless(): Generator<Buffer> {
  for (;;) yield Buffer.alloc(16_384);
}

export async function startPypiIndex(
  files: readonly Listed[],
  { form = 'json', silent = () => false, moved = {}, projects = {} }: IndexOptions = {},
): Promise<PypiIndex> {
  const requests: string[] = [];
  const credentials: string[] = [];
  const server = createServer({ keepAliveTimeout: 60_000 }, (incoming, outgoing) => {
    const path = decodeURIComponent(incoming.url ?? '/');
    requests.push(path);
    if (incoming.headers.authorization !== undefined) credentials.push(incoming.headers.authorization);
    if (silent({ agent: incoming.headers['user-agent'] ?? '' })) return;
    const to = moved[path];
    if (to !== undefined) return void outgoing.writeHead(302, { location: to }).end();
    if (path === '/long') return void Readable.from(endless()).pipe(outgoing.writeHead(200));
    const project = projects[/^\/pypi\/([^/]+)\/json$/.exec(path)?.[1] ?? ''];
    if (project) return void outgoing.writeHead(200).end(JSON.stringify(project));
    const [, asked] = /^\/integrity\/[^/]+\/[^/]+\/([^/]+)\/provenance$/.exec(path) ?? [];
    const { attestations } = files.find((one) => one.file === asked) ?? {};
    if (attestations) return void outgoing.writeHead(200).end(attestations);
    const [, name] = /^\/simple\/([^/]+)\/$/.exec(path) ?? [];
    const held = files.filter((one) => one.name === name);
    const file = files.find((one) => path === `/files/${one.file}`);
    if (file) outgoing.writeHead(200).end(file.served ?? file.bytes);
    else if (held.length === 0) outgoing.writeHead(404).end();
    else if (form === 'json')
      outgoing
        .writeHead(200, { 'content-type': 'application/vnd.pypi.simple.v1+json' })
        .end(JSON.stringify({ meta: { 'api-version': '1.1' }, name, files: held.map(jsonOf) }));
    else outgoing.writeHead(200, { 'content-type': 'text/html' }).end(pageOf(held));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/simple`, requests, credentials };
}

function promised({ bytes, sha256 }: Listed): string | null {
  return sha256 === undefined ? createHash('sha256').update(bytes).digest('hex') : sha256;
}

function jsonOf(one: Listed): object {
  const sha256 = promised(one);
  return {
    filename: one.file,
    url: one.url ?? `../../files/${encodeURIComponent(one.file)}`,
    hashes: sha256 === null ? {} : { sha256 },
    yanked: one.yanked ?? false,
    ...(one.requires === undefined ? {} : { 'requires-python': one.requires }),
    'upload-time': one.uploadedAt ?? '2026-01-01T00:00:00.000000Z',
    ...(one.attestations === undefined ? {} : { provenance: `/integrity/${one.file}` }),
  };
}

function pageOf(held: readonly Listed[]): string {
  const links = held.map((one) => {
    const sha256 = promised(one);
    const yanked = one.yanked === undefined ? '' : ` data-yanked="${one.yanked}"`;
    const href = `../../files/${encodeURIComponent(one.file)}${sha256 === null ? '' : `#sha256=${sha256}`}`;
    const requires =
      one.requires === undefined ? '' : ` data-requires-python="${one.requires.replace('<', '&lt;')}"`;
    return `<a href="${href}"${yanked}${requires}>${one.file}</a><br/>`;
  });
  return `<!DOCTYPE html><html><body>\n${links.join('\n')}\n</body></html>`;
}
