/**
 * The Merkle tree of RFC 6962 (and RFC 9162, section 2.1): hashes, and the verification of inclusion and consistency
 * proofs. SHA-256, 32-byte hashes; sizes and indexes are safe integers. Everything here is pure.
 */
import { createHash } from 'node:crypto';

export const HASH_BYTES = 32;

const LEAF = Buffer.from([0]);
const NODE = Buffer.from([1]);

/** Hash of an entry: SHA-256(0x00 || entry). */
export function leafHash(entry: Uint8Array): Buffer {
  return createHash('sha256').update(LEAF).update(entry).digest();
}

/** Hash of an inner node: SHA-256(0x01 || left || right). */
export function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  return createHash('sha256').update(NODE).update(left).update(right).digest();
}

/** Root of the tree without entries: SHA-256 of nothing. */
export function emptyRoot(): Buffer {
  return createHash('sha256').digest();
}

export interface Inclusion {
  readonly index: number;
  readonly size: number;
  readonly leaf: Uint8Array;
  readonly proof: readonly Uint8Array[];
  readonly root: Uint8Array;
}

/** Is this leaf at this index of the tree with this root? (RFC 9162, 2.1.3.2.) Anything malformed is a no. */
export function verifyInclusion({ index, size, leaf, proof, root }: Inclusion): boolean {
  if (!isSize(size) || !isSize(index) || index >= size || !areHashes([leaf, root, ...proof])) return false;
  let at = index;
  let last = size - 1;
  let hash: Buffer = Buffer.from(leaf);
  for (const sibling of proof) {
    if (last === 0) return false;
    if (at % 2 === 1 || at === last) {
      hash = nodeHash(sibling, hash);
      while (at % 2 === 0 && at !== 0) [at, last] = [at / 2, half(last)];
    } else hash = nodeHash(hash, sibling);
    [at, last] = [half(at), half(last)];
  }
  return last === 0 && hash.equals(root);
}

export interface Consistency {
  readonly size1: number;
  readonly size2: number;
  readonly root1: Uint8Array;
  readonly root2: Uint8Array;
  readonly proof: readonly Uint8Array[];
}

/** Is the second tree the first one with entries added? (RFC 9162, 2.1.4.2.) Anything malformed is a no. */
export function verifyConsistency({ size1, size2, root1, root2, proof }: Consistency): boolean {
  if (!isSize(size1) || !isSize(size2) || size1 > size2 || !areHashes([root1, root2, ...proof])) return false;
  if (size1 === size2) return proof.length === 0 && Buffer.from(root1).equals(root2);
  // Every tree grows out of the empty one: that says nothing, and so proves nothing.
  if (size1 === 0) return false;
  const path = isPowerOfTwo(size1) ? [root1, ...proof] : [...proof];
  const [first, ...rest] = path;
  if (first === undefined || proof.length === 0) return false;
  let [at, last] = [size1 - 1, size2 - 1];
  while (at % 2 === 1) [at, last] = [half(at), half(last)];
  let [old, fresh]: [Buffer, Buffer] = [Buffer.from(first), Buffer.from(first)];
  for (const sibling of rest) {
    if (last === 0) return false;
    if (at % 2 === 1 || at === last) {
      old = nodeHash(sibling, old);
      fresh = nodeHash(sibling, fresh);
      while (at % 2 === 0 && at !== 0) [at, last] = [at / 2, half(last)];
    } else fresh = nodeHash(fresh, sibling);
    [at, last] = [half(at), half(last)];
  }
  return last === 0 && old.equals(root1) && fresh.equals(root2);
}

/** A complete subtree: 2^level leaves, the index-th of its level. */
export interface NodeAt {
  readonly level: number;
  readonly index: number;
}

/** Complete subtrees that together hold the leaves from `begin` up to `end`, left to right; `begin` is aligned to them. */
function rangeOf(begin: number, end: number): NodeAt[] {
  const nodes: NodeAt[] = [];
  for (let at = begin; at < end; ) {
    let level = 0;
    while (at % 2 ** (level + 1) === 0 && at + 2 ** (level + 1) <= end) level++;
    nodes.push({ level, index: at / 2 ** level });
    at += 2 ** level;
  }
  return nodes;
}

/** One hash of a proof, as the complete subtrees that it is made of. */
export type Recipe = readonly NodeAt[];

/** The hash of a range: its subtrees joined from the right. */
export function joined(hashes: readonly Uint8Array[]): Buffer {
  const [last, ...others] = [...hashes].reverse();
  if (last === undefined) return emptyRoot();
  return others.reduce<Buffer>((right, left) => nodeHash(left, right), Buffer.from(last));
}

/** What the root of a tree of this size is made of. */
export function rootRecipe(size: number): Recipe {
  return rangeOf(0, size);
}

/** What the proof is made of that `index` is in the tree of `size`, in order (RFC 9162, 2.1.3.1). */
export function inclusionRecipe(index: number, size: number): Recipe[] {
  const path: Recipe[] = [];
  let [begin, end] = [0, size];
  while (end - begin > 1) {
    const split = begin + splitOf(end - begin);
    if (index < split) {
      path.push(rangeOf(split, end));
      end = split;
    } else {
      path.push(rangeOf(begin, split));
      begin = split;
    }
  }
  return path.reverse();
}

/** What the proof is made of that the tree of `size2` grew out of the one of `size1` (RFC 9162, 2.1.4.1). */
export function consistencyRecipe(size1: number, size2: number): Recipe[] {
  const path: Recipe[] = [];
  if (size1 === 0 || size1 >= size2) return path;
  let [begin, end, whole] = [0, size2, true];
  while (size1 !== end) {
    const split = begin + splitOf(end - begin);
    if (size1 <= split) {
      path.push(rangeOf(split, end));
      end = split;
    } else {
      path.push(rangeOf(begin, split));
      begin = split;
      whole = false;
    }
  }
  if (!whole) path.push(rangeOf(begin, end));
  return path.reverse();
}

/** The largest power of two below `count`. */
function splitOf(count: number): number {
  let split = 1;
  while (split * 2 < count) split *= 2;
  return split;
}

function half(value: number): number {
  return Math.floor(value / 2);
}

function isPowerOfTwo(value: number): boolean {
  return Number.isInteger(Math.log2(value));
}

function isSize(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function areHashes(hashes: readonly Uint8Array[]): boolean {
  return hashes.every((hash) => hash.length === HASH_BYTES);
}
