import { describe, expect, it } from 'vitest';
import { argumentCheck } from '../../runtime/gate/schema.ts';
import { matchesTemplate } from '../../runtime/gate/template.ts';
import { namedData, redact } from '../../runtime/journal/redact.ts';
import type { JsonObject } from '../../schemas/common.ts';
import { processorMs } from '../helpers/wait.ts';

describe('a URI against a locked template', () => {
  it.each([
    ['note://{id}', 'note://7', true],
    ['note://{id}', 'note://', false],
    ['note://{id}', 'note://a/b', false],
    ['note://{id}', 'note://a?b', false],
    ['file:///{+path}', 'file:///a/b/c', true],
    ['file:///{+path}', 'file:///', true],
    ['x://a{?q,page}', 'x://a', true],
    ['x://a{?q,page}', 'x://a?q=1&page=2', true],
    ['x://a{?q,page}', 'x://a/b', false],
    ['x://a{/rest}', 'x://a/b', true],
    ['x://a{/rest}', 'x://ab', false],
    ['x://{a}.{b}', 'x://one.two', true],
    ['x://{a}.{b}', 'x://one', false],
    ['x://a.b', 'x://aXb', false],
  ])('%s and %s: %s', (template, uri, fits) => {
    expect(matchesTemplate(template, uri)).toBe(fits);
  });

  it('is decided in time, whatever both are', () => {
    const spent = processorMs();
    expect(matchesTemplate('x://{a}.{b}.{c}.{d}!', `x://${'a.'.repeat(2000)}`)).toBe(false);
    expect(matchesTemplate('x://{a}', `x://${'a'.repeat(5000)}`)).toBe(false);
    expect(spent()).toBeLessThan(2000);
  });
});

describe('arguments against a locked schema', () => {
  const check = (inputSchema: unknown, args: JsonObject): string | undefined =>
    argumentCheck({ tools: { t: { name: 't', inputSchema } as JsonObject } })('t', args)?.code;

  it.each<[string, unknown, string | undefined]>([
    ['fits', { type: 'object', properties: { a: { type: 'string' } } }, undefined],
    ['does not fit', { type: 'object', properties: { a: { type: 'number' } } }, 'ARGUMENTS_INVALID'],
    ['has no schema', undefined, 'ARGUMENTS_INVALID'],
    ['has a schema that is none', 'object', 'ARGUMENTS_INVALID'],
    [
      'refers to somewhere else',
      { type: 'object', properties: { a: { $ref: 'https://a.example/x' } } },
      'ARGUMENTS_INVALID',
    ],
    ['refers to itself without end', { $dynamicAnchor: 'x', $dynamicRef: '#x' }, 'ARGUMENTS_INVALID'],
  ])('what %s', (_, schema, code) => {
    expect(check(schema, { a: 'x' })).toBe(code);
  });
});

describe('secrets in arguments', () => {
  const key = Buffer.alloc(32, 7);
  const kept = (value: JsonObject): string => JSON.stringify(redact(value, key).kept);

  it.each<[string, JsonObject]>([
    ['a name', { api_token: 'hunter2' }],
    ['a short name', { pwd: 'hunter2' }],
    ['everything below a name', { credentials: { user: 'x', list: ['hunter2'] } }],
    ['a pair of name and value', { headers: [{ name: 'Authorization', value: 'hunter2' }] }],
    ['a bearer header', { header: 'Bearer hunter2' }],
    ['an address with a password', { db: 'postgres://admin:hunter2@db/x' }],
    ['a key of a known form', { note: `AKIA${'HUNTER2'.repeat(2)} wJalrXUtnFEMI/hunter2` }],
  ])('are found by %s', (_, value) => {
    expect(kept(value)).not.toContain('hunter2');
    expect(kept(value)).toContain('hmac-sha256');
    expect(namedData(redact(value, key).whole).join()).not.toContain('hunter2');
  });

  it('hash alike with one key, otherwise with another', () => {
    expect(kept({ token: 'a' })).toBe(kept({ token: 'a' }));
    expect(redact({ token: 'a' }, Buffer.alloc(32, 8)).kept).not.toEqual(redact({ token: 'a' }, key).kept);
  });

  it('leave the rest as it is, and cut what is long', () => {
    expect(kept({ path: '/a', count: 3, flag: null })).toBe('{"path":"/a","count":3,"flag":null}');
    expect(kept({ text: 'x'.repeat(5000) })).toContain('… (5000 characters)');
    expect(namedData({ a: '/srv/x', b: ['https://a.example/'], c: 'plain' })).toEqual([
      '/srv/x',
      'https://a.example/',
    ]);
  });
});
