import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { LockkeeperError } from '../../schemas/errors.ts';
import { canonical, digestOf, parseFile, parseStrict, pretty } from '../../schemas/json.ts';

const fixtures = join(import.meta.dirname, '../fixtures/jcs');

describe('parseStrict', () => {
  it.each([
    ['{"a":1,"a":2}', 'key "a" twice'],
    ['{"a":{"b":1,"\\u0062":2}}', 'twice'],
    ['[{"x":[{"k":1,"k":1}]}]', 'twice'],
    ['{"a":1,"b":{},"b" \n :2}', 'key "b" twice, at offset 14'],
    ['{"__proto__":1,"__proto__":2}', 'key "__proto__" twice'],
    ['["a",{"":1},{"":"\\"","x":[],"":2}]', 'key "" twice, at offset 28'],
    ['{"a":"\\ud800"}', 'lone surrogate'],
    ['["\ud800"]', 'lone surrogate at offset 1'],
    ['{"\\udc00":1}', 'lone surrogate'],
    ['9007199254740993', '9007199254740993'],
    ['[-9007199254740992]', '-9007199254740992'],
    ['1e400', '1e400'],
    [`${'['.repeat(200)}${']'.repeat(200)}`, 'deeper nesting'],
    ['{"a":1', 'JSON'],
    ['', 'JSON'],
    ['{"a":1}{"b":2}', 'JSON'],
  ])('refuses %s', (text, found) => {
    const error = (() => {
      try {
        parseStrict(text);
      } catch (thrown) {
        return thrown;
      }
      return undefined;
    })();
    expect(error).toBeInstanceOf(LockkeeperError);
    expect((error as LockkeeperError).code).toBe('JSON_INVALID');
    expect((error as LockkeeperError).message).toContain(found);
  });

  it('refuses bytes that are not UTF-8, and text over the limit', () => {
    expect(() => parseStrict(Uint8Array.of(0x22, 0xff, 0x22))).toThrow('UTF-8');
    expect(() => parseStrict('"aaaa"', { maxBytes: 5 })).toThrow('at most 5 bytes');
  });

  it.each([
    '{"a":{"a":{"a":1}},"b":[{"a":1},{"a":2}]}',
    '["{\\"a\\":1,\\"a\\":2}"]',
    '{"":0,"a":""}',
    '-0.0e-2',
    '"\\\\"',
    '[]',
  ])('reads %s as JSON.parse does', (text) => {
    expect(parseStrict(text)).toEqual(JSON.parse(text));
  });

  it('lets pass leniently what a double does not hold and what is no character, but in no name', () => {
    const lenient = (text: string) => parseStrict(text, { lenient: true });
    expect(lenient('["\\ud800",9007199254740993]')).toEqual(['\ud800', 9007199254740992]);
    expect(() => lenient('{"\\ud800":1}')).toThrow('lone surrogate at offset 1');
    expect(() => lenient('{"a":1,"a":1}')).toThrow('twice');
  });

  it('never takes a name in escapes for another, whatever was read before', () => {
    for (let n = 0; n < 20; n++) {
      parseStrict('{"p":1,"\\\\":1}');
      // The engine may have taken the second name for that backslash: then it is refused.
      const read = (() => {
        try {
          return parseStrict('{"p":1,"\\u0061":2}');
        } catch (error) {
          return (error as LockkeeperError).code;
        }
      })();
      expect(['JSON_INVALID', { p: 1, a: 2 }]).toContainEqual(read);
      expect(parseStrict('{"p":1,"\\\\":2}')).toEqual({ p: 1, '\\': 2 });
    }
    expect(parseStrict('{"\\u0061":{"\\u0062\\n":[{"\\"":1}]},"c":0}')).toEqual({
      a: { 'b\n': [{ '"': 1 }] },
      c: 0,
    });
  });

  it('finds the end of each text whatever is escaped in it', () => {
    for (let backslashes = 0; backslashes < 6; backslashes++) {
      const text = JSON.stringify({ a: `${'\\'.repeat(backslashes)}","a":"`, b: '"'.repeat(backslashes) });
      expect(parseStrict(text)).toEqual(JSON.parse(text));
    }
  });

  it('keeps __proto__ an ordinary key', () => {
    expect(Object.keys(parseStrict('{"__proto__":1,"a":2}') as object)).toEqual(['__proto__', 'a']);
    expect(pretty(parseStrict('{"b":1,"__proto__":{"x":1}}'))).toContain('"__proto__"');
  });
});

it('names the file that is not JSON', () => {
  expect(() => parseFile('{"a":1,}', 'project/lockkeeper.json')).toThrow(
    expect.objectContaining({
      code: 'JSON_INVALID',
      expected: 'one JSON value in UTF-8 in project/lockkeeper.json',
      next: 'Correct the file and try again',
    }),
  );
  expect(parseFile('{"a":1}', 'lockkeeper.json')).toEqual({ a: 1 });
});

describe('canonical', () => {
  it.each(readdirSync(join(fixtures, 'input')))('is RFC 8785 for %s', (name) => {
    const input = JSON.parse(readFileSync(join(fixtures, 'input', name), 'utf8'));
    expect(canonical(input)).toBe(readFileSync(join(fixtures, 'output', name), 'utf8').trimEnd());
  });

  it('does not see order or spaces', () => {
    expect(digestOf({ b: 1, a: [1, { d: 1, c: 2 }] })).toBe(digestOf({ a: [1, { c: 2, d: 1 }], b: 1 }));
  });
});
