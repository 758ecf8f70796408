import { describe, expect, it } from 'vitest';
import { assertRemembered, remembering } from '../../../runtime/trust/memory.ts';
import { pinOfRoot, readRoot } from '../../../runtime/trust/root.ts';
import type { Envelope } from '../../../schemas/dsse.ts';
import { LockkeeperError } from '../../../schemas/errors.ts';
import { at, makeKey, makeRoot, people, pin } from '../../helpers/trust.ts';

const version = (number: number, more: string[] = []): Envelope =>
  makeRoot((root) => {
    root.version = number;
    root.trustRoots = Object.fromEntries(more.map((name) => [name, `sha256:${'0'.repeat(64)}`]));
  });
const codeOf = (run: () => void): string => {
  try {
    run();
    return 'ok';
  } catch (error) {
    return error instanceof LockkeeperError ? error.code : String(error);
  }
};

describe('the roots that a machine believed', () => {
  const memory = remembering({ rootChain: [version(3)], root: version(4) }, null);

  it.each<[string, Envelope[], string]>([
    ['the same ones', [version(3), version(4)], 'ok'],
    ['an older one of them', [version(3)], 'ok'],
    ['the next one', [version(4), version(5)], 'ok'],
    ['another newest', [version(4, ['other'])], 'ROOT_FORK'],
    ['another of before, whoever pinned its key', [version(3, ['other'])], 'ROOT_FORK'],
    ['another of before in the chain', [version(3, ['other']), version(4)], 'ROOT_FORK'],
  ])('are held against %s: %s', (_, roots, code) => {
    const [root = version(1), ...rest] = roots.toReversed();
    expect(codeOf(() => assertRemembered({ root, rootChain: rest.reverse() }, memory, pin))).toBe(code);
  });

  it('are held against a next one that the newest did not sign, under any pin', () => {
    const evil = { rootKeys: [people.mallory.keyid], threshold: 1 };
    const next = makeRoot((root) => {
      const { keyid, pem, person } = people.mallory;
      root.version = 5;
      root.keys.push({ keyid, publicKey: pem, person, notBefore: at(-24), notAfter: at(100) });
      root.roles.root.keyids = [keyid];
    }, people.mallory);
    expect(codeOf(() => assertRemembered({ root: next, rootChain: [] }, memory, evil))).toBe('ROOT_FORK');
  });

  it('are only added to', () => {
    const later = remembering({ rootChain: [], root: version(5) }, memory);
    expect(Object.keys(later.digests)).toEqual(['3', '4', '5']);
    expect(remembering({ rootChain: [], root: version(3) }, later).newest).toEqual(version(5));
    const other = remembering({ rootChain: [], root: version(4, ['other']) }, later);
    expect(other.digests).toEqual(later.digests);
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
