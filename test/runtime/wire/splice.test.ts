import { describe, expect, it } from 'vitest';
import { splice, textAt } from '../../../runtime/wire/splice.ts';

const text = (value: string): Buffer => Buffer.from(value);

describe('a value in a JSON text', () => {
  it.each([
    ['{"id":1}', ['id'], '1'],
    ['{"result":{"id":5,"a":"}\\"{"},"jsonrpc":"2.0","id":"x\\\\"}', ['id'], '"x\\\\"'],
    [' { "a" : [ 1 , {"id":2} ] , "\\u0069d" : -1.5e3 } ', ['id'], '-1.5e3'],
    ['{"params":{"_meta":{"progressToken":null}},"id":7}', ['params', '_meta', 'progressToken'], 'null'],
    ['{"a":{}, "b":[],"c":[[]],"id":true}', ['id'], 'true'],
    ['{"é\\n":"ü","id":"日本"}', ['id'], '"日本"'],
  ])('%s is found', (whole, path, found) => {
    expect(textAt(text(whole), path)?.toString()).toBe(found);
  });

  it.each([
    ['{}', ['id']],
    ['[]', ['id']],
    ['{"a":{"id":1}}', ['id']],
    ['{"params":[{"id":1}]}', ['params', 'id']],
    ['{"id":1}', ['id', 'x']],
  ])('%s has none', (whole, path) => {
    expect(textAt(text(whole), path)).toBeNull();
    expect(splice(text(whole), [{ path, value: 9 }]).toString()).toBe(whole);
  });

  it('is replaced, and nothing else moves', () => {
    const whole = '{ "id" : 1, "params":{"x":1e0,"_meta":{"progressToken":"a"} } }';
    const changes = [
      { path: ['params', '_meta', 'progressToken'], value: 22 },
      { path: ['id'], value: 'n"1' },
    ];
    expect(splice(text(whole), changes).toString()).toBe(
      '{ "id" : "n\\"1", "params":{"x":1e0,"_meta":{"progressToken":22} } }',
    );
  });

  it('agrees with a parser on made-up texts', () => {
    let seed = 7;
    const random = (n: number): number => {
      seed = (seed * 1103515245 + 12345) % 2147483648;
      return seed % n;
    };
    const WORDS = ['', 'id', '"', '\\', '\\"', '{', '}]', 'ü\u2028', '\u0000', 'a,b:c'];
    const make = (depth: number): unknown => {
      const kind = random(depth > 3 ? 4 : 6);
      if (kind === 0) return random(1000) - 500;
      if (kind === 1) return [true, false, null][random(3)];
      if (kind < 4) return WORDS[random(WORDS.length)];
      if (kind === 4) return Array.from({ length: random(4) }, () => make(depth + 1));
      return Object.fromEntries(
        Array.from({ length: random(4) }, () => [WORDS[random(WORDS.length)], make(depth + 1)]),
      );
    };
    for (let n = 0; n < 3000; n++) {
      const value = { x: make(0), id: make(1), y: make(0) };
      const whole = text(JSON.stringify(value, null, random(3)));
      expect(JSON.parse(textAt(whole, ['id'])?.toString() ?? '')).toEqual(value.id);
      expect(JSON.parse(splice(whole, [{ path: ['id'], value: 'new' }]).toString())).toEqual({
        ...value,
        id: 'new',
      });
    }
  });
});
