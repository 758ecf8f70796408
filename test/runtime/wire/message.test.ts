import { describe, expect, it } from 'vitest';
import { LARGE_BYTES, LARGE_PARTS, parseMessage } from '../../../runtime/wire/message.ts';

const call = (args: string): Buffer =>
  Buffer.from(
    `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","arguments":{"x":${args}}}}`,
  );

describe('a message that everybody waits for', () => {
  it('is read whole where it is small, or large and made of little', () => {
    const small = call(`[${'0,'.repeat(LARGE_BYTES / 2 - 100)}0]`);
    expect(small.length).toBeLessThan(LARGE_BYTES);
    for (const bytes of [small, call(`"${'x, '.repeat(LARGE_PARTS)}"`)])
      expect(parseMessage(bytes)).toMatchObject({ kind: 'request' });
  });

  it.each(['0', '[]', '{"a":0}', '""'])(
    'is not read where it is made of more than %s as often as may be',
    (part) => {
      const bytes = call(`[${`${part},`.repeat(LARGE_PARTS)}${part}]`);
      expect(() => parseMessage(bytes)).toThrow(`at most ${LARGE_PARTS} members and items`);
      expect(parseMessage(bytes, false, Number.POSITIVE_INFINITY)).toMatchObject({ kind: 'request' });
    },
  );
});
