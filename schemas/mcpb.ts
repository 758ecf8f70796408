/** MCP bundles: how they are named, and what of one a person looks at. */
import { Closed } from './common.ts';
import { LockkeeperError, quote } from './errors.ts';
import { type Static, Type } from './type.ts';

const NAME = '[a-z0-9](?:[a-z0-9._-]{0,98}[a-z0-9])?';
const LABEL = '[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?';
const PATH = '(?:/[A-Za-z0-9._~+%-]+)+';
/** On this machine alone without TLS. */
const ADDRESS = `https://${LABEL}(?:[.]${LABEL})+(?::[1-9][0-9]{0,4})?${PATH}|http://(?:localhost|127[.]0[.]0[.]1)(?::[1-9][0-9]{0,4})?${PATH}`;
const DIGEST = 'sha256:[0-9a-f]{64}';

export const McpbSource = Type.String({
  pattern: `^mcpb:(?:${ADDRESS}|${NAME})@${DIGEST}$`,
  description: 'mcpb:ADDRESS@sha256:DIGEST, or mcpb:NAME@sha256:DIGEST for a bundle that was handed in',
  maxLength: 400,
});

export interface McpbRef {
  /** As the manifest says it, in small letters; of an address, its last part. */
  readonly name: string;
  /** Null for a bundle that was handed in. */
  readonly url: string | null;
  readonly digest: string;
}

export function isMcpbSource(source: string): boolean {
  return source.startsWith('mcpb:');
}

/** `mcpb:https://host/path/weather.mcpb@sha256:…` or `mcpb:weather@sha256:…`. Throws SOURCE_INVALID. */
export function mcpbRefOf(source: string): McpbRef {
  const [, url, name, digest] =
    new RegExp(`^mcpb:(?:(${ADDRESS})|(${NAME}))@(${DIGEST})$`).exec(source) ?? [];
  if (digest !== undefined && url !== undefined) return { name: lastPart(url), url, digest };
  if (digest !== undefined && name !== undefined) return { name, url: null, digest };
  throw new LockkeeperError('SOURCE_INVALID', {
    expected: 'mcpb:https://<host>/<path>@sha256:<digest>, or mcpb:<name>@sha256:<digest>',
    found: quote(source, 400),
    next: 'lk publish takes a file or an address without a digest, and pins what it finds there',
  });
}

export function isMcpbAddress(text: string): boolean {
  return new RegExp(`^(?:${ADDRESS})$`).test(text);
}

function lastPart(url: string): string {
  return mcpbName((url.split('/').at(-1) ?? '').replace(/\.(?:mcpb|dxt|zip)$/i, ''));
}

/** A name as it stands in a source: manifests may have spaces and capitals. */
export function mcpbName(name: string): string {
  const plain = name
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-');
  return plain.slice(0, 100).replace(/^[^a-z0-9]+|[^a-z0-9]+$/g, '') || 'bundle';
}

export function mcpbPurl({ name, digest }: McpbRef, version: string): string {
  return `pkg:generic/${name}@${version.replaceAll('+', '%2B')}?checksum=${digest}`;
}

/** What stays the same from version to version: the address without its parts that have numbers of a version. */
export function mcpbKey(source: string): string {
  const { url, name } = mcpbRefOf(source);
  if (url === null) return `mcpb:${name}`;
  const { origin, pathname } = new URL(url);
  return `mcpb:${origin}${pathname.replace(/\/[^/]*\d[.]\d[^/]*/g, '/*')}`;
}

/** What of a bundle a person looks at; its files are in the closure. */
export const BundleReport = Closed({
  name: Type.String({ maxLength: 200 }),
  author: Type.String({ maxLength: 200 }),
  manifestVersion: Type.String({ maxLength: 20 }),
  kind: Type.Union([Type.Literal('node'), Type.Literal('python')]),
  files: Type.Integer({ minimum: 1 }),
  /** Bytes of all files. */
  unpacked: Type.Integer({ minimum: 1 }),
  /** Packages that lie inside, each an artifact of the closure. */
  packages: Type.Integer({ minimum: 0 }),
  /** It carries a signature of the form that bundles have; nobody here believes it. */
  signed: Type.Boolean(),
});
export type BundleReport = Static<typeof BundleReport>;
