/** From `mcpb:FILE` or `mcpb:https://…` to a submission: the bytes are looked at once, and their digest is what is submitted. */
import { resolve } from 'node:path';
import { fetchBundle } from '../scanner/mcpb/fetch.ts';
import { assertRuns, type Manifest, manifestIn } from '../scanner/mcpb/manifest.ts';
import { MAX_BUNDLE_BYTES, readBundle } from '../scanner/mcpb/read.ts';
import { LockkeeperError, quote } from '../schemas/errors.ts';
import { sha256 } from '../schemas/json.ts';
import { isMcpbAddress, isMcpbSource, mcpbName, mcpbRefOf } from '../schemas/mcpb.ts';
import type { Submission } from '../schemas/release.ts';
import { list, type Values } from './command.ts';
import { readOr } from './project.ts';
import { packageSubmission } from './submission.ts';

export interface FoundBundle {
  readonly bytes: Buffer;
  readonly source: string;
  readonly manifest: Manifest;
}

interface Place {
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

const PINNED = /@(sha256:[0-9a-f]{64})$/;

/** Null for what is no bundle, and for one that was handed in before. Throws SOURCE_INVALID, ARTIFACT_MISMATCH and what reading throws. */
export async function findBundle(word: string, place: Place): Promise<FoundBundle | null> {
  if (!isMcpbSource(word)) return null;
  const named = word.slice('mcpb:'.length).replace(PINNED, '');
  const [, pinned] = PINNED.exec(word) ?? [];
  const isAddress = /^https?:/.test(named);
  if (!isAddress && pinned !== undefined) return null;
  if (isAddress && !isMcpbAddress(named)) throw noAddress(named);
  const bytes = isAddress ? await fetchBundle(named, place.environment) : await fileAt(named, place);
  const digest = sha256(bytes);
  if (pinned !== undefined && pinned !== digest) {
    throw new LockkeeperError('ARTIFACT_MISMATCH', {
      expected: `${named} with ${pinned}`,
      found: `${bytes.length} bytes with ${digest}`,
      next: 'The file behind the address is another one: ask whoever made it',
    });
  }
  const label = `the bundle ${named}`;
  const manifest = manifestIn((await readBundle(bytes, label)).files, label);
  assertRuns(manifest, label);
  const source = `mcpb:${isAddress ? named : mcpbName(manifest.name)}@${digest}`;
  mcpbRefOf(source);
  return { bytes, source, manifest };
}

function noAddress(found: string): LockkeeperError {
  return new LockkeeperError('SOURCE_INVALID', {
    expected: 'mcpb:https://host/path without user, query and fragment, or mcpb: and a file',
    found: quote(found, 300),
    next: 'Fetch it by hand, and hand the file in: lk publish mcpb:FILE',
  });
}

async function fileAt(path: string, { cwd }: Place): Promise<Buffer> {
  const missing = (): LockkeeperError =>
    new LockkeeperError('SOURCE_INVALID', {
      expected: 'a file behind mcpb:, or an address https://host/path',
      found: quote(path, 300),
      next: 'Correct the path',
    });
  return readOr(resolve(cwd, path), missing, MAX_BUNDLE_BYTES);
}

/** Name and version are the manifest's own. */
export async function bundleSubmission(
  { source, manifest }: FoundBundle,
  values: Values,
): Promise<Submission> {
  const { name, version, description } = manifest;
  const own = typeof values.name === 'string' ? values.name : `mcpb/${mcpbName(name)}`;
  const told = description.replace(/\s+/g, ' ').trim() || `${name}, a bundle`;
  const submission = await packageSubmission({ name: own, version, source, description: told }, values);
  return { ...submission, ...configIn(values) };
}

/** `--config KEY=VALUE`; the same key again is one more value. */
export function configIn(values: Values): Pick<Submission, 'config'> {
  const words = list(values, 'config');
  if (words.length === 0) return {};
  const config: Record<string, string[]> = {};
  for (const word of words) {
    const [, key, value] = /^([A-Za-z0-9_.-]{1,100})=(.*)$/s.exec(word) ?? [];
    if (key === undefined || value === undefined) {
      throw new LockkeeperError('USAGE', {
        expected: '--config KEY=VALUE, with a key of the manifest’s user_config',
        found: quote(word),
        next: 'See: lk publish --help',
      });
    }
    config[key] = [...(Object.hasOwn(config, key) ? (config[key] ?? []) : []), value];
  }
  return { config };
}
