/** A root that is being made: one file that its holders pass around, read, and sign, each on their own machine. */
import { readFile } from 'node:fs/promises';
import { writeAtomic } from '../../runtime/store/atomic.ts';
import { readRoot } from '../../runtime/trust/root.ts';
import { Closed, type Json } from '../../schemas/common.ts';
import { Envelope, readPublicKey, Signature, verifyBytes } from '../../schemas/dsse.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { canonical, parseFile, pretty } from '../../schemas/json.ts';
import { ROOT_TYPE, Root } from '../../schemas/root.ts';
import { type Signer, signWith } from '../../schemas/signer.ts';
import { type Static, Type } from '../../schemas/type.ts';
import { assertValid } from '../../schemas/validate.ts';

/** `root` is what people read and sign; `previous` what it follows, so that both thresholds can be told offline. */
export const Draft = Closed({
  lockkeeper: Type.Literal('root-draft/v1'),
  registry: Type.String({ pattern: '^https?://[!-~]{1,500}$' }),
  root: Root,
  previous: Envelope,
  signatures: Type.Array(Signature, { maxItems: 32 }),
});
export type Draft = Static<typeof Draft>;

const MAX_BYTES = 16 << 20;

export async function readDraft(path: string): Promise<Draft> {
  const bytes = await readFile(path).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== 'ENOENT') throw cause;
    throw new LockkeeperError('NOT_FOUND', {
      expected: `a root that is being made at ${quote(path, 300)}`,
      found: 'no such file',
      next: 'Begin one with: lk keys root init FILE',
      cause,
    });
  });
  const draft = assertValid(Draft, parseFile(bytes, path, { maxBytes: MAX_BYTES }), path);
  const before = readRoot(draft.previous).root;
  if (draft.root.version !== before.version + 1)
    throw new LockkeeperError('DOCUMENT_INVALID', {
      expected: `root version ${before.version + 1}, which follows ${before.version}`,
      found: `version ${draft.root.version}`,
      next: 'Begin again with: lk keys root init',
    });
  return draft;
}

export async function writeDraft(path: string, draft: Draft): Promise<void> {
  await writeAtomic(path, pretty(draft as unknown as Json));
}

/** The exact bytes that holders sign. */
export function draftPayload({ root }: Pick<Draft, 'root'>): Buffer {
  return Buffer.from(canonical(root));
}

/** Another content: what was signed before is not this. */
export function changed(draft: Draft, root: Root): Draft {
  return { ...draft, root, signatures: [] };
}

/** Throws SIGNER_FAILED. */
export async function signDraft(draft: Draft, signer: Signer): Promise<Draft> {
  const signature = await signWith(signer, ROOT_TYPE, draftPayload(draft));
  const others = draft.signatures.filter(({ keyid }) => keyid !== signature.keyid);
  return { ...draft, signatures: [...others, signature] };
}

/** The envelope that the registry takes. */
export function sealed(draft: Draft): Envelope {
  const payload = draftPayload(draft).toString('base64');
  return { payloadType: ROOT_TYPE, payload, signatures: draft.signatures };
}

export interface Standing {
  /** Persons of the role whose signature on this text verifies. */
  readonly signed: readonly string[];
  readonly needed: number;
  /** Persons who could still sign. */
  readonly missing: readonly string[];
}

/** Where the signatures stand, by the root before it and by its own word. */
export function standing(draft: Draft): { before: Standing; own: Standing } {
  return { before: count(draft, readRoot(draft.previous).root), own: count(draft, draft.root) };
}

function count(draft: Draft, by: Root): Standing {
  const payload = draftPayload(draft);
  const holders = by.keys.filter(({ keyid }) => by.roles.root.keyids.includes(keyid));
  const signed = new Set(
    holders
      .filter(({ keyid, publicKey }) => {
        const signature = draft.signatures.find((one) => one.keyid === keyid);
        return signature && verifyBytes(ROOT_TYPE, payload, signature, readPublicKey(publicKey).key);
      })
      .map(({ person }) => person),
  );
  const everyone = [...new Set(holders.map(({ person }) => person))];
  return {
    signed: [...signed].sort(),
    needed: by.roles.root.threshold,
    missing: everyone.filter((person) => !signed.has(person)).sort(),
  };
}
