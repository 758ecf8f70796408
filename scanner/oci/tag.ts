/** What a tag means today: a digest. Asked once, when a release is submitted; a tag means something else tomorrow. */
import { LockkeeperError } from '../../schemas/errors.ts';
import type { OciRef, OciTag } from '../../schemas/oci.ts';
import { openClient } from './client.ts';
import type { OciOptions } from './options.ts';

/** Throws SOURCE_INVALID where there is no such tag, SOURCE_UNREACHABLE. */
export async function resolveTag({ host, repository, tag }: OciTag, options: OciOptions): Promise<OciRef> {
  const client = openClient({ host, repository }, options);
  try {
    const held = await client.manifest(tag);
    if (held !== null) return { host, repository, digest: held.digest };
  } finally {
    await client.close();
  }
  throw new LockkeeperError('SOURCE_INVALID', {
    expected: `the tag ${tag} of ${host}/${repository}`,
    found: 'no such tag',
    next: 'Check the name and the tag',
  });
}
