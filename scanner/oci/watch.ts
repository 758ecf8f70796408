/** A repository of images after one of them was approved: its tags, and what the tag of that version means now. */
import { parseStrict } from '../../schemas/json.ts';
import { type OciRef, ociRefOf, ociSourceOf } from '../../schemas/oci.ts';
import type { Offered, Pointed, Release } from '../watch/ports.ts';
import { versionedTags } from '../watch/versions.ts';
import { type OciClient, openClient } from './client.ts';
import { unreachable } from './http.ts';
import type { OciOptions } from './options.ts';
import { resolveTag } from './tag.ts';

/** Of up to a thousand tags each. */
const MAX_PAGES = 20;

/** Tags that are versions; what one means is asked for when it is wanted. Throws SOURCE_UNREACHABLE. */
export async function offeredByOci({ source, version }: Release, options: OciOptions): Promise<Offered[]> {
  const { host, repository } = ociRefOf(source);
  const names = await withClient({ host, repository }, options, (client) => client.tags(MAX_PAGES));
  const tag = tagsOf(version).find((one) => names.includes(one)) ?? null;
  return versionedTags(names, { tag, version }).map((one) => ({
    version: one.version,
    source: async () => ociSourceOf(await resolveTag({ host, repository, tag: one.tag }, options)),
  }));
}

/** A release names no tag: it is the one that says its version, as it was first seen. */
function tagsOf(version: string): string[] {
  return [version, `v${version}`];
}

/**
 * `kept` is the name of the tag that was seen before. Throws SOURCE_UNREACHABLE, also where no tag says the version: the
 * image may have come by another one.
 */
export async function pointedByOci(
  { source, version }: Release,
  kept: string | null,
  options: OciOptions,
): Promise<Pointed> {
  const ref = ociRefOf(source);
  return withClient(ref, options, async (client) => {
    for (const tag of kept === null ? tagsOf(version) : [kept]) {
      const now = await client.digestOf(tag);
      if (now === null) continue;
      const same = now === ref.digest || (await holds(now, ref.digest, client));
      const found = `the tag ${tag}, approved as ${ref.digest}, ${same ? 'is that' : `is ${now}`}`;
      return { state: same ? 'same' : 'moved', found, keep: tag };
    }
    if (kept === null) throw unreachable(`a tag ${tagsOf(version).join(' or ')}`, 'none of them');
    return { state: 'gone', found: `the tag ${kept}, approved as ${ref.digest}, is gone`, keep: kept };
  });
}

/** Whether an index names this manifest, of one kind of machine. */
async function holds(index: string, digest: string, client: OciClient): Promise<boolean> {
  const held = await client.manifest(index);
  const { manifests } = (held === null ? {} : parseStrict(held.bytes)) as { manifests?: unknown };
  return (
    Array.isArray(manifests) && manifests.some((one: { digest?: unknown } | null) => one?.digest === digest)
  );
}

async function withClient<T>(
  ref: Pick<OciRef, 'host' | 'repository'>,
  options: OciOptions,
  ask: (client: OciClient) => Promise<T>,
): Promise<T> {
  const client = openClient(ref, options);
  try {
    return await ask(client);
  } finally {
    await client.close();
  }
}
