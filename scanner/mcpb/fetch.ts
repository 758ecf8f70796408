/** A bundle from its address: bounded, and never from an address of a machine's own. */

import { LockkeeperError } from '../../schemas/errors.ts';
import { sha256 } from '../../schemas/json.ts';
import type { McpbRef } from '../../schemas/mcpb.ts';
import { type Mark, openCarrier } from '../oci/http.ts';
import type { ScanPorts } from '../ports.ts';
import { MAX_BUNDLE_BYTES } from './read.ts';

type Environment = Readonly<Record<string, string | undefined>>;
const ACCEPT = 'application/zip, application/octet-stream, */*;q=0.1';

export interface AskedBundle {
  readonly environment: Environment;
  /** Only if the bytes are not those of this mark. */
  readonly unless: Mark | null;
}

/** The bytes that the address gives now. Throws SOURCE_INVALID, SOURCE_UNREACHABLE or CLOSURE_INCOMPLETE. */
export async function fetchBundle(url: string, environment: Environment): Promise<Buffer> {
  const answer = await askBundle(url, { environment, unless: null });
  if (typeof answer !== 'string') return answer.bytes;
  throw refused(true, `the bundle at ${url}`, answer === 'gone' ? 'HTTP 404 or 410' : 'HTTP 304');
}

/** Throws SOURCE_UNREACHABLE and CLOSURE_INCOMPLETE. */
export async function askBundle(
  url: string,
  { environment, unless }: AskedBundle,
): Promise<{ readonly bytes: Buffer; readonly mark: Mark | null } | 'as before' | 'gone'> {
  const carrier = openCarrier(new URL(url).host, { environment, loginFor: async () => null });
  const want = { accept: ACCEPT, maxBytes: MAX_BUNDLE_BYTES, what: `the bundle at ${url}`, unless };
  try {
    const first = await carrier.get(url, want);
    const answer = first.location === null ? first : await carrier.follow(first.location, url, want);
    if (answer.status === 200) return { bytes: answer.body, mark: answer.mark };
    if (answer.status === 304 && unless !== null) return 'as before';
    if (answer.status === 404 || answer.status === 410) return 'gone';
    throw refused(false, want.what, `HTTP ${answer.status}`);
  } catch (error) {
    if (error instanceof LockkeeperError && error.code === 'SOURCE_UNREACHABLE')
      throw refused(false, want.what, error.found, error);
    throw error;
  } finally {
    await carrier.close();
  }
}

function refused(gone: boolean, expected: string, found: string, cause?: unknown): LockkeeperError {
  const next = gone
    ? 'Check the address'
    : 'Check the address, and the way to it from the machine that scans; then try again';
  return new LockkeeperError(gone ? 'SOURCE_INVALID' : 'SOURCE_UNREACHABLE', {
    expected,
    found,
    next,
    cause,
  });
}

/** The very bytes that were submitted: from the store, else from the address. Throws ARTIFACT_MISMATCH for others. */
export async function bundleBytes({ url, digest }: McpbRef, ports: ScanPorts): Promise<Buffer> {
  if (await ports.blobs.has(digest)) return ports.blobs.get(digest);
  if (url === null) {
    throw new LockkeeperError('ARTIFACT_MISSING', {
      expected: `the bundle ${digest}, as it was handed in`,
      found: 'nothing in the store',
      next: 'Hand it in again: lk publish mcpb:FILE',
    });
  }
  const bytes = await fetchBundle(url, ports.environment ?? {});
  const found = sha256(bytes);
  if (found === digest) {
    await ports.blobs.put(bytes);
    return bytes;
  }
  throw new LockkeeperError('ARTIFACT_MISMATCH', {
    expected: `${url} with ${digest}, as it was submitted`,
    found: `${bytes.length} bytes with ${found}`,
    next: 'The file behind the address was changed: do not use this release, and ask whoever made it',
  });
}
