/** A package registry on the loopback that speaks npm's own protocol: what a drill or a test publishes, npm's client finds. */
import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { Header } from 'tar';
import type { JsonObject } from '../../schemas/common.ts';
import { LockkeeperError } from '../../schemas/errors.ts';

const BLOCK = 512;

/** One version. `name` and `version` of the package.json are filled in. */
export interface LocalPackage {
  readonly name: string;
  readonly version: string;
  /** Path below the package -> content. */
  readonly files: Readonly<Record<string, string | Uint8Array>>;
  /** Further members of package.json: bin, dependencies, scripts. */
  readonly manifest?: JsonObject;
  readonly publishedAt?: string;
  readonly maintainers?: readonly { readonly name: string; readonly email?: string }[];
  /** Other bytes than the promised ones: what a tampered mirror would serve. */
  readonly served?: Uint8Array;
  /** Replaces what is promised about the tarball; null leaves the member out. */
  readonly dist?: Readonly<Record<'integrity' | 'shasum', string | null>>;
  /** The whole tarball, in the place of one made of `files`. */
  readonly archive?: Uint8Array;
  /** More members of what the registry tells of the version, such as _npmUser. */
  readonly told?: JsonObject;
  /** More members of `dist`, such as signatures. */
  readonly signed?: JsonObject;
  /** What the registry answers when asked for attestations; absent: there are none. */
  readonly attestations?: Uint8Array;
  /** Where it says that the tarball is; where it really is unless told. */
  readonly tarball?: string;
}

export interface NpmRegistry {
  /** Ends without a slash. */
  readonly url: string;
  /** Paths asked for so far, in order. */
  readonly requests: readonly string[];
  /** Adds versions while it runs, as a maintainer would. */
  publish(packages: readonly LocalPackage[]): void;
  close(): Promise<void>;
}

/** Starts listening on 127.0.0.1, any free port. What is not published answers 404; nothing is asked of anybody else. */
export async function startNpmRegistry(packages: readonly LocalPackage[]): Promise<NpmRegistry> {
  const held = [...packages];
  const requests: string[] = [];
  // Who takes up a connection again after five seconds on a busy machine finds it open.
  const server = createServer({ keepAliveTimeout: 60_000 }, (incoming, outgoing) => {
    const path = decodeURIComponent((incoming.url ?? '/').split('?')[0] ?? '/').slice(1);
    requests.push(path);
    const answer = incoming.method === 'GET' ? answerOf(path, held, urlOf(server)) : null;
    if (answer === null) {
      outgoing.writeHead(404, { 'content-type': 'application/json' }).end('{"error":"Not found"}');
    } else {
      const type = answer instanceof Uint8Array ? 'application/octet-stream' : 'application/json';
      outgoing
        .writeHead(200, { 'content-type': type })
        .end(answer instanceof Uint8Array ? answer : JSON.stringify(answer));
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => resolve());
  });
  return {
    url: urlOf(server),
    requests,
    publish: (more) => void held.push(...more),
    close: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function urlOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** `@scope/name` or `@scope/name/-/name-1.0.0.tgz`. */
function answerOf(path: string, held: readonly LocalPackage[], url: string): Uint8Array | JsonObject | null {
  const [, asked] = /^-\/npm\/v1\/attestations\/(.+)$/.exec(path) ?? [];
  if (asked !== undefined)
    return held.find(({ name, version }) => `${name}@${version}` === asked)?.attestations ?? null;
  const [name = '', file] = path.split('/-/');
  const versions = held.filter((one) => one.name === name);
  if (versions.length === 0) return null;
  if (file === undefined) return packument(versions, url);
  const one = versions.find((version) => fileName(version) === file);
  return one === undefined ? null : (one.served ?? tarballOf(one));
}

function packument(held: readonly LocalPackage[], url: string): JsonObject {
  const versions: JsonObject = {};
  const time: JsonObject = {};
  let latest = '';
  for (const one of held) {
    versions[one.version] = {
      ...manifestOf(one),
      ...one.told,
      dist: distOf(one, url),
      ...maintainersOf(one),
    };
    if (one.publishedAt !== undefined) time[one.version] = one.publishedAt;
    latest = one.version;
  }
  const name = held[0]?.name ?? '';
  return { name, 'dist-tags': { latest }, versions, time };
}

function maintainersOf({ maintainers }: LocalPackage): JsonObject {
  return maintainers === undefined ? {} : { maintainers: maintainers.map((one) => ({ ...one })) };
}

function distOf(one: LocalPackage, url: string): JsonObject {
  const bytes = tarballOf(one);
  const digest = (algorithm: string, encoding: 'hex' | 'base64'): string =>
    createHash(algorithm).update(bytes).digest(encoding);
  const dist: JsonObject = { tarball: one.tarball ?? `${url}/${one.name}/-/${fileName(one)}` };
  const promised = one.dist ?? {
    integrity: `sha512-${digest('sha512', 'base64')}`,
    shasum: digest('sha1', 'hex'),
  };
  for (const [key, value] of Object.entries(promised)) if (value !== null) dist[key] = value;
  return { ...dist, ...one.signed };
}

function fileName({ name, version }: LocalPackage): string {
  return `${name.split('/').at(-1)}-${version}.tgz`;
}

function manifestOf({ name, version, manifest }: LocalPackage): JsonObject {
  return { name, version, ...manifest };
}

/** The tarball of a package as the registry serves it untampered. */
export function tarballOf(one: LocalPackage): Buffer {
  if (one.archive !== undefined) return Buffer.from(one.archive);
  return packTarball({ 'package.json': `${JSON.stringify(manifestOf(one), null, 2)}\n`, ...one.files });
}

/**
 * A gzipped tar as `npm pack` makes it, each file under `package/`. The same files give the same bytes. Paths are taken
 * as they are, hostile ones too. Throws USAGE for a path that the plain tar format cannot hold.
 */
function packTarball(files: Readonly<Record<string, string | Uint8Array>>): Buffer {
  const parts: Buffer[] = [];
  for (const [path, content] of Object.entries(files)) {
    const bytes = Buffer.from(content);
    const block = Buffer.alloc(BLOCK);
    const mtime = new Date('1985-10-26T08:15:00.000Z');
    const header = new Header({
      path: `package/${path}`,
      type: 'File',
      mode: 0o644,
      size: bytes.length,
      mtime,
      uid: 0,
      gid: 0,
    });
    if (header.encode(block, 0)) {
      throw new LockkeeperError('USAGE', {
        expected: 'paths that fit a tar header',
        found: path,
        next: 'Use a shorter one',
      });
    }
    parts.push(block, bytes, Buffer.alloc((BLOCK - (bytes.length % BLOCK)) % BLOCK));
  }
  return gzipSync(Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)]));
}
