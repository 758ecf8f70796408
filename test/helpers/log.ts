/** A transparency log in memory: the same trees, proofs and notes as the registry's, for objects made in tests. */
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
import { checkpointText, cosign, type Signer, signNote } from '../../schemas/note.ts';

export interface MemoryLog {
  readonly size: number;
  append(...entries: Logged[]): void;
  root(size?: number): Buffer;
  /** A checkpoint, cosigned by these witnesses at `seconds` since the epoch. */
  note(witnesses?: readonly Signer[], seconds?: number, size?: number): string;
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
  const texts = (recipes: readonly Recipe[]): string[] =>
    recipes.map((recipe) => hashOf(recipe).toString('base64'));
  const root = (size = leaves.length): Buffer => hashOf(rootRecipe(size));
  const note: MemoryLog['note'] = (witnesses = [], seconds = 0, size = leaves.length) => {
    const text = checkpointText({ origin: signer.name, size, root: root(size) });
    const lines = witnesses.map((witness) => cosign(text, witness, seconds));
    return signNote(text, signer) + lines.join('');
  };
  const growth: MemoryLog['growth'] = (from) => ({
    from,
    proof: texts(consistencyRecipe(from, leaves.length)),
  });
  return {
    get size() {
      return leaves.length;
    },
    append: (...entries) => void leaves.push(...entries.map(logLeaf)),
    root,
    note,
    growth,
    evidence: (entries, how = {}) => ({
      checkpoint: how.note ?? note(),
      growth: (how.from ?? []).map(growth),
      proofs: Object.fromEntries(
        entries.map((entry) => {
          const leaf = logLeaf(entry);
          const index = leaves.findIndex((known) => known.equals(leaf));
          return [entry.digest, { index, proof: texts(inclusionRecipe(index, leaves.length)) }];
        }),
      ),
    }),
  };
}
