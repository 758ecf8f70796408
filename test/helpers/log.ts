/** A transparency log in memory: the same trees, proofs and notes as the registry's, for objects made in tests. */
import { sha256 } from '../../schemas/json.ts';
import { type Growth, type LogEvidence, type Logged, logLeaf } from '../../schemas/log.ts';
import {
  consistencyRecipe,
  inclusionRecipe,
  joined,
  type NodeAt,
  nodeHash,
  type Recipe,
  rootRecipe,
} from '../../schemas/merkle.ts';
import {
  checkpointText,
  cosign,
  type NoteKey,
  noteKeyOf,
  type Signer,
  signNote,
} from '../../schemas/note.ts';

export interface MemoryLog {
  readonly key: NoteKey;
  readonly size: number;
  append(...entries: Logged[]): void;
  root(size?: number): Buffer;
  /** The newest checkpoint, cosigned by these witnesses at `seconds` since the epoch. */
  note(witnesses?: readonly Signer[], seconds?: number): string;
  /** The checkpoint of an earlier size. */
  noteAt(size: number): string;
  proof(from: number, to: number): Buffer[];
  growth(from: number): Growth;
  evidence(entries: readonly Logged[], how?: { note?: string; from?: readonly number[] }): LogEvidence;
}

export function memoryLog(signer: Signer): MemoryLog {
  const leaves: Buffer[] = [];
  const nodes = new Map<string, Buffer>();
  const node = ({ level, index }: NodeAt): Buffer => {
    const key = `${level} ${index}`;
    const known = level === 0 ? leaves[index] : nodes.get(key);
    if (known) return known;
    const hash = nodeHash(
      node({ level: level - 1, index: index * 2 }),
      node({ level: level - 1, index: index * 2 + 1 }),
    );
    nodes.set(key, hash);
    return hash;
  };
  const hashOf = (recipe: Recipe): Buffer => joined(recipe.map(node));
  const texts = (hashes: readonly Buffer[]): string[] => hashes.map((hash) => hash.toString('base64'));
  const proof: MemoryLog['proof'] = (from, to) => consistencyRecipe(from, to).map(hashOf);
  const root = (size = leaves.length): Buffer => hashOf(rootRecipe(size));
  const textAt = (size: number): string => checkpointText({ origin: signer.name, size, root: root(size) });
  const noteAt: MemoryLog['noteAt'] = (size) => signNote(textAt(size), signer);
  const note: MemoryLog['note'] = (witnesses = [], seconds = 0) => {
    const lines = witnesses.map((witness) => cosign(textAt(leaves.length), witness, seconds));
    return noteAt(leaves.length) + lines.join('');
  };
  const growth: MemoryLog['growth'] = (from) => ({
    from,
    proof: texts(proof(from, leaves.length)),
  });
  return {
    key: noteKeyOf(signer, 'log'),
    get size() {
      return leaves.length;
    },
    append: (...entries) => void leaves.push(...entries.map(logLeaf)),
    root,
    note,
    noteAt,
    proof,
    growth,
    evidence: (entries, how = {}) => ({
      checkpoint: how.note ?? note(),
      growth: (how.from ?? []).map(growth),
      proofs: Object.fromEntries(
        entries.map((entry) => {
          const leaf = logLeaf(entry);
          const index = leaves.findIndex((known) => known.equals(leaf));
          return [entry.digest, { index, proof: texts(inclusionRecipe(index, leaves.length).map(hashOf)) }];
        }),
      ),
    }),
  };
}

/** A log of 64 entries; `salt` makes another history under the same key. */
export function numberedLog(signer: Signer, salt: (index: number) => string = () => ''): MemoryLog {
  const log = memoryLog(signer);
  for (let index = 0; index < 64; index++)
    log.append({ kind: 'lock', subject: `acme/app#${index}`, digest: sha256(`${index}${salt(index)}`) });
  return log;
}
