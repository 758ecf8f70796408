import { describe, expect, it } from 'vitest';
import { readCode } from '../../scanner/code/javascript/file.ts';
import { languageOf } from '../../scanner/code/select.ts';
import { readSource } from '../../scanner/code/tokens.ts';
import { processorMs } from '../helpers/wait.ts';

const uses = (code: string): string[] =>
  readCode('index.js', code).uses.map(({ capability, what }) => `${capability}: ${what}`);
const language = (path: string, text = ''): string | null => languageOf({ path, bytes: Buffer.from(text) });

describe('reading source', () => {
  it('keeps length and lines, and takes strings and comments out of the code', () => {
    const text =
      "const a = 'x // y'; // eval(1)\n/* eval(2)\n */ const b = `t ${a + `in ${b}`} u`; const r = /['\"`]/g;";
    const { code, strings } = readSource(text);
    expect(code).toHaveLength(text.length);
    expect(code.split('\n')).toHaveLength(3);
    expect(code).not.toContain('eval');
    expect(code).toContain('const r = /     /g;');
    expect(strings.map(({ value }) => value)).toEqual(['x // y', 't ', 'in ', '', ' u']);
  });

  it('tells a division from a regular expression', () => {
    expect(readSource("const x = a / b; const s = 'in'; y / 2;").strings).toHaveLength(1);
    expect(readSource("if (x) /'/.test(y); call('seen');").strings.map(({ value }) => value)).toEqual([
      'seen',
    ]);
    expect(readSource("return /[/']/; 'seen'").strings.map(({ value }) => value)).toEqual(['seen']);
    expect(readSource("(a + b) / c; 'seen' / 2; x[0] / 'two'").strings).toHaveLength(2);
    expect(readSource("o.return / 2; 'seen' / 1").strings).toHaveLength(1);
  });

  it('resolves escapes and joins neighbours', () => {
    const values = readSource("'child\\x5fprocess' ; 'a' + 'b' +\n \"c\"; '\\u{66}s'").strings.map(
      ({ value }) => value,
    );
    expect(values).toEqual(['child_process', 'abc', 'fs']);
  });

  it('ends with text that does not', () => {
    for (const text of ["'open", '`open ${', '/* open', '/open', '"a\\', '}}}', '))'])
      expect(readSource(text).code).toHaveLength(text.length);
  });
});

describe('what code can reach', () => {
  it.each([
    ["const cp = require('child_process')", 'programs: child_process'],
    ["import { spawn } from 'node:child_process'", 'programs: child_process'],
    ["await import('node:net')", 'network: net'],
    ["import 'undici'", 'network: undici'],
    ['export * from "node:https"', 'network: https'],
    ["process.getBuiltinModule('fs')", 'files: fs'],
    ["require('child_' + 'process')", 'programs: child_process'],
    ["require('\\x66s')", 'files: fs'],
    ['require(`net`)', 'network: net'],
    ['globalThis.fetch(url)', 'network: fetch'],
    ['new WebSocket(url)', 'network: WebSocket'],
    ["const u = 'https://Api.Example.com:8443/x'", 'network: api.example.com:8443'],
    ['const u = `wss://${host}.x`, v = `http://10.0.0.1/`', 'network: 10.0.0.1'],
    ['process.env.API_KEY', 'environment: API_KEY'],
    ["process . env [ 'HOME' ]", 'environment: HOME'],
    ['send(process.env)', 'environment: all variables'],
    ["import { env } from 'node:process'", 'environment: process'],
    ['eval(x)', 'dynamic code: eval'],
    ['new Function(x)', 'dynamic code: Function'],
    ["setTimeout('evil()', 1)", 'dynamic code: setTimeout'],
    ['await import(name)', 'dynamic code: import of a computed name'],
    ["process.binding('fs')", 'dynamic code: binding'],
    ["require('./build/addon.node')", 'native code: ./build/addon.node'],
    ["read('/home/me/.ssh/id_rsa')", 'files of the user: .ssh'],
    ["os.homedir() + '/x'", 'files of the user: homedir'],
    ['new sdk.StreamableHTTPClientTransport(url)', 'remote server: StreamableHTTPClientTransport'],
    ["const mail = { Bcc: 'copies@club.invalid' }", 'network: mail to copies@club.invalid'],
    ["fetch(Buffer.from('aHR0cHM6Ly9hLmludmFsaWQv', 'base64').toString())", 'network: a.invalid'],
    ['const { TOKEN } = process.env', 'environment: TOKEN'],
    ["read('/etc/passwd')", 'files of the user: /etc/passwd'],
  ])('%s', (code, expected) => expect(uses(code)).toContain(expected));

  it.each([
    "// require('child_process')",
    "/* fetch('https://x.example') */",
    'const text = "call eval(x) or require(\'net\')"',
    'cache.fetch(key)',
    'const prefetch = () => 1; prefetch()',
    "const schema = { $schema: 'https://json-schema.org/draft/2020-12/schema' }",
    "import { z } from 'zod'",
    'setTimeout(() => go(), 10)',
    'obj.eval(1)',
    'const pattern = /process.env/',
  ])('nothing: %s', (code) => expect(uses(code)).toEqual([]));

  it('names the first place of each, with its line', () => {
    const code = 'const a = 1;\n\n  fetch(a);\nfetch(a);\n';
    expect(readCode('lib/a.js', code).uses).toEqual([
      { capability: 'network', what: 'fetch', path: 'lib/a.js', line: 3, excerpt: 'fetch(a);' },
    ]);
  });

  it('is looked for in code alone', () => {
    for (const path of ['a.js', 'a.mjs', 'a.cjs', 'a.ts', 'a.mts', 'a.tsx'])
      expect(language(path)).toBe('javascript');
    for (const path of ['a.d.ts', 'a.d.mts', 'README', 'a.png']) expect(language(path)).toBe(null);
    expect(language('bin/tool', '#!/usr/bin/env node\n')).toBe('javascript');
    expect(language('bin/tool', '#!/usr/bin/python3\n')).toBe('python');
  });

  it('reads a large minified line in time', () => {
    const line = 'var a=b/c,d="x",e=/y/.test(f)?`${g}`:h;'.repeat(50_000);
    const spent = processorMs();
    readCode('min.js', line);
    expect(spent()).toBeLessThan(15_000);
  });
});
