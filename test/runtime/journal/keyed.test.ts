import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { keyedHash } from '../../../runtime/journal/keyed.ts';

describe('a keyed hash', () => {
  const keys = [Buffer.alloc(32, 7), Buffer.from('a short one'), Buffer.alloc(64, 1), Buffer.alloc(100, 2)];
  const sizes = [0, 1, 55, 56, 63, 64, 65, 1000, 16 * 1024 - 1, 16 * 1024, 16 * 1024 + 1, 100_000, 3];

  it.each(keys)('is HMAC-SHA-256 of bytes of any length, under key %#', (key) => {
    for (const size of sizes) {
      const bytes = Buffer.alloc(size, 'abc');
      expect(keyedHash(bytes, key)).toBe(createHmac('sha256', key).update(bytes).digest('hex'));
    }
  });

  it('is that of a text in UTF-8, however keys take turns', () => {
    for (const text of ['', 'hunter2', 'zoë 🌊', '\ud800', 'é'.repeat(10_000)])
      for (const key of keys)
        expect(keyedHash(text, key)).toBe(createHmac('sha256', key).update(text, 'utf8').digest('hex'));
  });
});
