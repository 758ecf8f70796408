import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  consistencyRecipe,
  inclusionRecipe,
  joined,
  leafHash,
  nodeHash,
  type Recipe,
  rootRecipe,
  verifyConsistency,
  verifyInclusion,
} from '../../schemas/merkle.ts';

const fixtures = join(import.meta.dirname, '../fixtures/merkle');

interface Vector {
  readonly wantErr: boolean;
  readonly proof: readonly string[] | null;
  readonly [name: string]: unknown;
}

const bytes = (value: unknown): Buffer => Buffer.from(String(value ?? ''), 'base64');
const load = (file: string): Vector => JSON.parse(readFileSync(join(fixtures, file), 'utf8')) as Vector;
const vectors = (kind: string): string[] => globSync(`${kind}/**/*.json`, { cwd: fixtures }).sort();

/** The two that ask for roots of another length: refused here on purpose. */
const ODD = new Set([
  'consistency/additional/sizes-are-equal-and-proof-is-not-empty-where-both-sizes-are-one.json',
  'consistency/additional/sizes-are-equal-and-proof-is-not-empty-where-both-sizes-are-zero.json',
]);

describe('RFC 6962 vectors', () => {
  it('are all here', () => {
    expect(vectors('inclusion').length + vectors('consistency').length).toBe(195);
  });

  it.each(vectors('inclusion'))('%s', (file) => {
    const vector = load(file);
    const holds = verifyInclusion({
      index: Number(vector.leafIdx),
      size: Number(vector.treeSize),
      leaf: bytes(vector.leafHash),
      proof: (vector.proof ?? []).map(bytes),
      root: bytes(vector.root),
    });
    expect(holds).toBe(!vector.wantErr);
  });

  it.each(vectors('consistency'))('%s', (file) => {
    const vector = load(file);
    const holds = verifyConsistency({
      size1: Number(vector.size1),
      size2: Number(vector.size2),
      root1: bytes(vector.root1),
      root2: bytes(vector.root2),
      proof: (vector.proof ?? []).map(bytes),
    });
    expect(holds).toBe(ODD.has(file) ? false : !vector.wantErr);
  });
});

describe('proofs of our own', () => {
  const SIZE = 70;
  const leaves = Array.from({ length: SIZE }, (_, index) => leafHash(Buffer.from(`entry ${index}`)));
  /** The tree as its definition says, level by level. */
  const hashOf = (level: number, index: number): Buffer =>
    level === 0
      ? (leaves[index] ?? Buffer.alloc(0))
      : nodeHash(hashOf(level - 1, index * 2), hashOf(level - 1, index * 2 + 1));
  const make = (recipe: Recipe): Buffer => joined(recipe.map(({ level, index }) => hashOf(level, index)));
  const root = (size: number): Buffer => make(rootRecipe(size));

  it('hold for every index and size, and for no other index', () => {
    for (let size = 1; size <= SIZE; size++) {
      for (let index = 0; index < size; index++) {
        const proof = inclusionRecipe(index, size).map(make);
        const leaf = leaves[index] ?? Buffer.alloc(0);
        expect(verifyInclusion({ index, size, leaf, proof, root: root(size) })).toBe(true);
        expect(verifyInclusion({ index: (index + 1) % size, size, leaf, proof, root: root(size) })).toBe(
          size === 1,
        );
      }
    }
  });

  it('hold for every growth, and for no other', () => {
    for (let size2 = 1; size2 <= SIZE; size2++) {
      for (let size1 = 1; size1 <= size2; size1++) {
        const growth = { size1, size2, root1: root(size1), root2: root(size2) };
        const proof = consistencyRecipe(size1, size2).map(make);
        expect(verifyConsistency({ ...growth, proof })).toBe(true);
        expect(verifyConsistency({ ...growth, root1: leafHash(Buffer.from('fork')), proof })).toBe(false);
        expect(verifyConsistency({ ...growth, proof: [...proof, root(1)] })).toBe(false);
      }
    }
  });
});
