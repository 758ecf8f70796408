/** A Merkle tree that is known by its right edge alone: enough to add leaves and to say the root after each, in O(log n). */
import { joined, nodeHash, rootRecipe } from './merkle.ts';

export interface GrowingTree {
  readonly size: number;
  append(leaf: Uint8Array): void;
  root(): Buffer;
}

/** `edge`: hashes of the complete subtrees of a tree of this size, left to right, as `rootRecipe` lists them. Null for another number of them. */
export function growingTree(size: number, edge: readonly Uint8Array[]): GrowingTree | null {
  const recipe = rootRecipe(size);
  if (recipe.length !== edge.length) return null;
  const stack = recipe.map(({ level }, at) => ({ level, hash: Buffer.from(edge[at] ?? []) }));
  let count = size;
  return {
    get size() {
      return count;
    },
    append: (leaf) => {
      let top = { level: 0, hash: Buffer.from(leaf) };
      while (stack.at(-1)?.level === top.level) {
        const left = stack.pop();
        top = {
          level: top.level + 1,
          hash: nodeHash(left?.hash ?? top.hash, top.hash) as Buffer<ArrayBuffer>,
        };
      }
      stack.push(top);
      count++;
    },
    root: () => joined(stack.map(({ hash }) => hash)),
  };
}
