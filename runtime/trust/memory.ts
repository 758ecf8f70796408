/** What a machine remembers of a registry's roots, whatever project they came with. */
import type { Envelope } from '../../schemas/dsse.ts';
import { LockkeeperError } from '../../schemas/errors.ts';
import { sha256 } from '../../schemas/json.ts';
import { assertContinues, type RootEvidence, type RootPin, readRoot, short } from './root.ts';

/** Every root of a registry that a machine believed: the newest, and by version the digest of each one's payload. */
export interface RootMemory {
  readonly newest: Envelope;
  readonly digests: Readonly<Record<string, string>>;
}

/** No root is another one than before, and later ones follow the newest. Throws ROOT_FORK. */
export function assertRemembered(evidence: RootEvidence, memory: RootMemory, pin: RootPin): void {
  for (const envelope of [...evidence.rootChain, evidence.root]) {
    const { version } = readRoot(envelope).root;
    const known = Object.hasOwn(memory.digests, `${version}`) ? memory.digests[`${version}`] : undefined;
    if (known === undefined || known === payloadDigest(envelope)) continue;
    throw new LockkeeperError('ROOT_FORK', {
      expected: `root version ${version} with the digest ${short(known)}, as this machine believed it before`,
      found: `another one, ${short(payloadDigest(envelope))}`,
      next: 'Keep both and tell your security team; if the registry was rebuilt on purpose: lk login URL --code CODE --new-root',
    });
  }
  assertContinues(evidence, { root: memory.newest, pin }, pin);
}

export function remembering(evidence: RootEvidence, memory: RootMemory | null): RootMemory {
  const all = [...evidence.rootChain, evidence.root];
  const digests = Object.fromEntries(
    all.map((envelope) => [`${readRoot(envelope).root.version}`, payloadDigest(envelope)]),
  );
  const later = memory && readRoot(memory.newest).root.version > readRoot(evidence.root).root.version;
  return {
    newest: memory && later ? memory.newest : evidence.root,
    digests: { ...digests, ...memory?.digests },
  };
}

function payloadDigest({ payload }: Envelope): string {
  return sha256(Buffer.from(payload, 'base64'));
}
