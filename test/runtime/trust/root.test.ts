import { describe, expect, it } from 'vitest';
import { assertRemembered, remembering, type Shown } from '../../../runtime/trust/memory.ts';
import { pinOfRoot, readRoot } from '../../../runtime/trust/root.ts';
import type { Envelope } from '../../../schemas/dsse.ts';
import { LockkeeperError } from '../../../schemas/errors.ts';
import { at, makeKey, makeRoot, NOW, people } from '../../helpers/trust.ts';

const version = (number: number, more: string[] = []): Envelope =>
  makeRoot((root) => {
    root.version = number;
    root.trustRoots = Object.fromEntries(more.map((name) => [name, `sha256:${'0'.repeat(64)}`]));
  });
const shown = (...roots: Envelope[]): Shown => {
  const [root = version(1), ...rest] = roots.toReversed();
  return { evidence: { root, rootChain: rest.reverse() }, trusted: { chain: roots } };
};
const codeOf = (run: () => void): string => {
  try {
    run();
    return 'ok';
  } catch (error) {
    return error instanceof LockkeeperError ? error.code : String(error);
  }
};

describe('the roots that a machine believed', () => {
  const memory = remembering(shown(version(3), version(4)).trusted, null, NOW);

  it.each<[string, Envelope[], string]>([
    ['the same ones', [version(3), version(4)], 'ok'],
    ['an older one of them', [version(3)], 'ok'],
    ['the next one', [version(4), version(5)], 'ok'],
    ['another newest', [version(4, ['other'])], 'ROOT_FORK'],
    ['another of before, whoever pinned its key', [version(3, ['other'])], 'ROOT_FORK'],
    ['another of before in the chain', [version(3, ['other']), version(4)], 'ROOT_FORK'],
  ])('are held against %s: %s', (_, roots, code) => {
    expect(codeOf(() => assertRemembered(shown(...roots), memory))).toBe(code);
  });

  it('are held against a next one that the newest did not sign, under any pin', () => {
    const next = makeRoot((root) => {
      const { keyid, pem, person } = people.mallory;
      root.version = 5;
      root.keys.push({ keyid, publicKey: pem, person, notBefore: at(-24), notAfter: at(100) });
      root.roles.root.keyids = [keyid];
    }, people.mallory);
    expect(codeOf(() => assertRemembered(shown(next), memory))).toBe('ROOT_FORK');
  });

  it('are only added to', () => {
    const later = remembering(shown(version(5)).trusted, memory, NOW);
    expect(Object.keys(later.digests)).toEqual(['3', '4', '5']);
    expect(remembering(shown(version(3)).trusted, later, NOW)).toBe(later);
    expect(remembering(shown(version(4, ['other'])).trusted, later, NOW)).toBe(later);
    expect(remembering(shown(version(1), version(2)).trusted, later, NOW)).toBe(later);
  });
});

describe('what is pinned of a root', () => {
  it('is one key of each holder, the newest, and the threshold', () => {
    const second = makeKey('root-holder');
    const { root } = readRoot(
      makeRoot((document) => {
        const { keyid, pem: publicKey, person } = second;
        document.keys.push({ keyid, publicKey, person, notBefore: at(-1), notAfter: at(100) });
        document.roles.root = { keyids: [people.root.keyid, keyid], threshold: 1 };
      }),
    );
    expect(pinOfRoot(root)).toEqual({ rootKeys: [second.keyid], threshold: 1 });
  });
});
