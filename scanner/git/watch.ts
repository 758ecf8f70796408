/** A repository after a commit of it was approved: its tags, by one question and without a fetch. */
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type GitRef, gitRefOf, gitSourceOf, isGitTag } from '../../schemas/git.ts';
import type { Offered, Pointed, Release, WatchPorts } from '../watch/ports.ts';
import { versionedTags } from '../watch/versions.ts';
import { remoteOf, tagsAt } from './remote.ts';

type Ports = Pick<WatchPorts, 'environment' | 'tmp'>;

/** Tags that are versions, each with the commit that it is now. Throws SOURCE_UNREACHABLE and SOURCE_INVALID. */
export async function offeredByGit({ source, version }: Release, ports: Ports): Promise<Offered[]> {
  const { url, tag } = gitRefOf(source);
  const tags = await tagsOf(url, ports);
  return versionedTags(tags.keys(), { tag, version }).flatMap((one) => {
    const commit = tags.get(one.tag);
    if (commit === undefined || !isGitTag(one.tag)) return [];
    return [{ version: one.version, source: gitSourceOf({ url, tag: one.tag, commit }) }];
  });
}

/** Of a release that names a tag. Throws SOURCE_UNREACHABLE. */
export async function pointedByGit(ref: GitRef & { readonly tag: string }, ports: Ports): Promise<Pointed> {
  const { url, tag, commit } = ref;
  const now = (await tagsOf(url, ports)).get(tag);
  if (now === undefined)
    return { state: 'gone', found: `the tag ${tag}, approved at ${commit}, is gone`, keep: null };
  if (now === commit) return { state: 'same', found: `the tag ${tag} is at ${commit}`, keep: null };
  return { state: 'moved', found: `the tag ${tag}, approved at ${commit}, is at ${now}`, keep: null };
}

async function tagsOf(url: string, { environment, tmp }: Ports): Promise<Map<string, string>> {
  const cwd = await mkdtemp(join(tmp, 'git-tags-'));
  try {
    return await tagsAt(await remoteOf(url, environment), cwd);
  } finally {
    await rm(cwd, { recursive: true, force: true });
  }
}
