/** What this machine knows of the root that a draft follows: what a holder reads of a draft is what changes against it. */
import { assertRemembered } from '../../runtime/trust/memory.ts';
import { readRoot } from '../../runtime/trust/root.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { sha256 } from '../../schemas/json.ts';
import type { Context } from '../command.ts';
import { type Draft, draftPayload } from './draft.ts';

/** 128 bits: another root with as many could not be had by trying. */
export const LEAST_DIGITS = 32;

/** Of the text alone: signatures can be written in more than one way. */
export function previousDigest({ previous }: Pick<Draft, 'previous'>): string {
  return sha256(Buffer.from(previous.payload, 'base64'));
}

/**
 * Whether this machine believed or signed that very root before, or it follows the newest one that it believed. Whoever
 * passes the file on could else put what they add into both. Throws ROOT_FORK and ROOT_ROLLBACK.
 */
export async function isKnown({ home }: Context, draft: Draft): Promise<boolean> {
  const { previous, registry } = draft;
  const memory = await home.roots(registry);
  if (memory) {
    const [newest, version] = [memory.newest, previous].map((one) => readRoot(one).root.version);
    if (Number(version) < Number(newest))
      throw new LockkeeperError('ROOT_ROLLBACK', {
        expected: `a draft after root version ${newest}, which this machine knows`,
        found: `one after version ${version}`,
        next: 'Begin again with: lk keys root init',
      });
    try {
      assertRemembered(
        { evidence: { root: previous, rootChain: [] }, trusted: { chain: [previous] } },
        memory,
      );
      return true;
    } catch (error) {
      if (!(error instanceof LockkeeperError) || error.code !== 'ROOT_UNTRUSTED') throw error;
    }
  }
  return (await home.signedRoots(registry)).includes(previousDigest(draft));
}

/** Nobody signs after a root that they neither know nor named by its digest. Throws ROOT_UNPINNED or ROOT_FORK. */
export function assertNamed(draft: Draft, known: boolean, named: string | undefined): void {
  const digest = previousDigest(draft).slice('sha256:'.length);
  const { version } = readRoot(draft.previous).root;
  if (named === undefined) {
    if (known) return;
    throw new LockkeeperError('ROOT_UNPINNED', {
      expected: `the root before it to be one that this machine knows, or that --previous names`,
      found: `version ${version} with the digest ${digest.slice(0, LEAST_DIGITS)}, which it never saw`,
      next: `Read all of it with: lk keys root show FILE. Compare the digest with the other holders, then add: --previous ${digest.slice(0, LEAST_DIGITS)}`,
    });
  }
  const given = named.replace(/^sha256:/, '').toLowerCase();
  if (given.length >= LEAST_DIGITS && digest.startsWith(given)) return;
  throw new LockkeeperError('ROOT_FORK', {
    expected: `the root before it with the digest ${quote(named, 80)}, of at least ${LEAST_DIGITS} digits`,
    found: `version ${version} with ${digest}`,
    next: 'Ask whoever passed the file on where it comes from, and compare with the other holders',
  });
}

/** What this machine signed, it knows. */
export async function signedHere({ home }: Context, draft: Draft): Promise<void> {
  await home.signedRoot(draft.registry, sha256(draftPayload(draft)));
}
