import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { readCode } from '../../scanner/code/javascript/file.ts';
import { secretsIn } from '../../scanner/code/secrets.ts';

const kinds = (text: string): string[] => readCode('index.js', text).hidden.map(({ kind }) => kind);
const names = Array.from({ length: 25 }, (_, at) => `var _0x${(0x1a2b00 + at).toString(16)} = ${at};`).join(
  '\n',
);
const escaped = (word: string): string =>
  `'${[...word].map((one) => `\\x${one.charCodeAt(0).toString(16)}`).join('')}'`;

describe('code that is hidden from people', () => {
  it.each<[string, string]>([
    [names, 'names that an obfuscator gave'],
    [
      Array.from({ length: 12 }, () => `a(${escaped('child_process')})`).join(';'),
      'plain words written as escapes',
    ],
    ["eval(atob('YQ=='))", 'text that is decoded and run as code'],
    ["new Function(Buffer.from(x, 'hex').toString())()", 'text that is decoded and run as code'],
    ['eval(String.fromCharCode(97, 98))', 'text that is decoded and run as code'],
    ['eval(function(p,a,c,k,e,d){return p}("a",1))', 'code packed into a text that it runs'],
    [`[${'[]+!![]+'.repeat(300)}[]]`, 'code of six signs'],
    [`const a = 1;${' '.repeat(300)}fetch(a);`, 'code pushed out of sight by spaces'],
    [`run('${'\u{e0121}'.repeat(40)}')`, 'text of characters that are not shown'],
  ])('%#', (text, kind) => expect(kinds(text)).toContain(kind));

  it.each([
    "const a = '\\u00e9\\u00e8'; const b = /\\x1b\\[/; const esc = '\\x1b[31m'",
    "const data = Buffer.from('aGVsbG8=', 'base64')",
    "eval('1 + 1'); new Function('return this')()",
    'const _0x1 = 1, _0x2 = 2',
    `const emoji = '${'👍🏽❤️'.repeat(10)}'`,
    `const table = '${' '.repeat(400)}x';`,
    'var a=b?c:d;'.repeat(2000),
  ])('not: %#', (text) => expect(kinds(text)).toEqual([]));
});

describe('secrets in code', () => {
  const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
  /** A text with the shape and the check sum of a token; no service ever gave it out. */
  const token = (prefix: string, body: string): string => {
    let sum = '';
    for (let rest = crc32(body), at = 0; at < 6; at++, rest = Math.floor(rest / 62))
      sum = DIGITS[rest % 62] + sum;
    return `${prefix}_${body}${sum}`;
  };
  const body = '9sR2xQ7mZk4Lw8Tn1Vb6Yc3Hd5Jf0G';

  it('are certain where the check sum fits', () => {
    for (const [prefix, kind] of [
      ['ghp', 'GitHub token'],
      ['npm', 'npm token'],
    ] as const)
      expect(secretsIn('a.js', `const a = '${token(prefix, body)}'`)).toMatchObject([{ kind, grave: true }]);
  });

  it('are told where the shape is certain, and never repeated', () => {
    const key = ['sk', 'live', 'q7Zp2Lx9Vb4Kd8Rw3Tn6Ym1C'].join('_');
    const [mark] = secretsIn('a.js', `const a = '${key}';`);
    expect(mark).toMatchObject({ kind: 'Stripe key', path: 'a.js', line: 1 });
    expect(JSON.stringify(mark)).not.toContain(key);
  });

  it('are nothing where the check sum does not fit, or the text is an example', () => {
    for (const text of [
      `ghp_${body}aaaaaa`,
      'AKIAIOSFODNN7EXAMPLE',
      `sk_live_${'x'.repeat(24)}`,
      '-----BEGIN PRIVATE KEY-----\nabc',
    ])
      expect(secretsIn('a.js', `const a = '${text}'`)).toEqual([]);
  });
});
