/**
 * A client of the distribution API that reads. Bounded in size and time; redirections are followed by hand, for blobs
 * alone, and never with what signs in; tokens are asked for where the registry says, and shown to the registry alone.
 */
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { parseStrict, sha256 } from '../../schemas/json.ts';
import type { OciRef } from '../../schemas/oci.ts';
import { Type } from '../../schemas/type.ts';
import { isValid } from '../../schemas/validate.ts';
import { type Answer, type Carrier, openCarrier, unreachable } from './http.ts';
import type { OciOptions } from './options.ts';
import { openSession, type Session } from './session.ts';

interface Wanted {
  readonly digest: string;
  readonly size: number;
}

export interface Held {
  readonly bytes: Buffer;
  readonly mediaType: string;
  readonly digest: string;
}

export interface OciClient {
  /** A manifest or an index, by digest or by tag; null where there is none. Its bytes are what its digest says. */
  manifest(reference: string): Promise<Held | null>;
  /** Throws ARTIFACT_MISMATCH for other bytes than were asked for. */
  blob(wanted: Wanted, what: string): Promise<Buffer>;
  /** Pages of what refers to a manifest, by the registry's own list; null where it keeps none. */
  referrers(digest: string, maxPages: number): Promise<Buffer[] | null>;
  /** Its tags, as they come. */
  tags(maxPages: number): Promise<string[]>;
  /** What a tag means now, without its bytes; null where there is no such tag. */
  digestOf(tag: string): Promise<string | null>;
  close(): Promise<void>;
}

const MAX_MANIFEST = 4 * 1024 * 1024;
const MANIFESTS = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');
const INDEX = 'application/vnd.oci.image.index.v1+json';

const Tags = Type.Object({ tags: Type.Optional(Type.Union([Type.Null(), Type.Array(Type.String())])) });

export function openClient(ref: Pick<OciRef, 'host' | 'repository'>, options: OciOptions): OciClient {
  const carrier = openCarrier(ref.host, options);
  const session = openSession(ref, { carrier, options });
  const at = `${carrier.base}/v2/${ref.repository}`;
  return {
    manifest: (reference) => manifest(`${at}/manifests/${reference}`, reference, session),
    blob: (wanted, what) => blob(`${at}/blobs/${wanted.digest}`, wanted, { session, carrier, what }),
    referrers: (digest, maxPages) =>
      pagesAt(
        `${at}/referrers/${digest}`,
        { what: 'what refers to the image', accept: INDEX, maxPages },
        session,
      ),
    tags: (maxPages) => tags(`${at}/tags/list?n=1000`, maxPages, session),
    digestOf: (tag) => digestOf(`${at}/manifests/${tag}`, tag, session),
    close: () => carrier.close(),
  };
}

/** The list goes on at the registry itself, or it does not go on. Throws SOURCE_UNREACHABLE. */
async function pagesAt(
  first: string,
  { what, accept, maxPages }: { readonly what: string; readonly accept: string; readonly maxPages: number },
  session: Session,
): Promise<Buffer[] | null> {
  const pages: Buffer[] = [];
  for (let url: string | null = first; url !== null; ) {
    const answer: Answer = await session.get(url, { accept, maxBytes: MAX_MANIFEST, what });
    if (answer.status === 404 && pages.length === 0) return null;
    if (answer.status !== 200) throw unreachable(what, `HTTP ${answer.status}`);
    if (pages.push(answer.body) > maxPages) throw unreachable(what, `more than ${maxPages} pages`);
    if (answer.next === null) return pages;
    const next: URL | null = URL.canParse(answer.next, url) ? new URL(answer.next, url) : null;
    if (next?.origin !== new URL(url).origin) throw unreachable(what, 'a list that goes on elsewhere');
    url = next.href;
  }
  return pages;
}

async function tags(first: string, maxPages: number, session: Session): Promise<string[]> {
  const what = 'the list of tags';
  const pages = await pagesAt(first, { what, accept: 'application/json', maxPages }, session);
  if (pages === null) throw unreachable(what, 'HTTP 404');
  return pages.flatMap((page) => {
    const list: unknown = parseStrict(page, { maxBytes: MAX_MANIFEST });
    if (!isValid(Tags, list)) throw unreachable(what, 'an answer of another form');
    return list.tags ?? [];
  });
}

async function digestOf(url: string, tag: string, session: Session): Promise<string | null> {
  const what = `the tag ${quote(tag, 140)}`;
  const want = { accept: MANIFESTS, maxBytes: 0, what, headOnly: true } as const;
  const { status, digest } = await session.get(url, want);
  if (status === 404) return null;
  if (status !== 200) throw unreachable(what, `HTTP ${status}`);
  if (digest !== null && /^sha256:[0-9a-f]{64}$/.test(digest)) return digest;
  return (await manifest(url, tag, session))?.digest ?? null;
}

async function manifest(url: string, reference: string, session: Session): Promise<Held | null> {
  const what = `the manifest ${quote(reference, 140)}`;
  const answer = await session.get(url, { accept: MANIFESTS, maxBytes: MAX_MANIFEST, what });
  if (answer.status === 404) return null;
  if (answer.status !== 200) throw unreachable(what, `HTTP ${answer.status}`);
  const digest = sha256(answer.body);
  if (reference.startsWith('sha256:'))
    assertBytes({ digest: reference, size: answer.body.length }, answer, what);
  return { bytes: answer.body, digest, mediaType: answer.type.split(';')[0]?.trim() ?? '' };
}

async function blob(
  url: string,
  wanted: Wanted,
  { session, carrier, what }: { session: Session; carrier: Carrier; what: string },
): Promise<Buffer> {
  const want = { accept: '*/*', maxBytes: wanted.size, what };
  const first = await session.get(url, want);
  const answer = first.location === null ? first : await carrier.follow(first.location, url, want);
  if (answer.status !== 200) throw unreachable(what, `HTTP ${answer.status}`);
  assertBytes(wanted, answer, what);
  return answer.body;
}

function assertBytes({ digest, size }: Wanted, { body }: Answer, what: string): void {
  const found = sha256(body);
  if (found === digest && body.length === size) return;
  throw new LockkeeperError('ARTIFACT_MISMATCH', {
    expected: `${what} with ${size} bytes and digest ${digest}`,
    found: `${body.length} bytes with digest ${found}`,
    next: 'The container registry or a proxy changed the bytes: do not use this release, and tell your security team',
  });
}
