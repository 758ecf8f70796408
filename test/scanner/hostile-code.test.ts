/** Packages made to end their reader: each is a finding, a refusal or unknown, inside limits, and the next is read as ever. */
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { readTarball } from '../../runtime/store/unpack.ts';
import { installScripts } from '../../scanner/checks/install-scripts.ts';
import { analyse, codeOf } from '../../scanner/code/analyse.ts';
import { openReader } from '../../scanner/code/reader.ts';
import { type Entry, tarball } from '../helpers/tarball.ts';

const reader = openReader({ fileMs: 4000, packageMs: 20_000, memoryMiB: 256 });
afterAll(() => reader.close());
const file = (path: string, content: string | Buffer) => ({
  path,
  bytes: Buffer.from(content),
  executable: false,
});

describe('code that is made to end its reader', () => {
  it.each<[string, string]>([
    ['brackets', '['.repeat(200_000)],
    ['parentheses', `${'('.repeat(100_000)}1${')'.repeat(100_000)}`],
    ['templates', '`${'.repeat(50_000)],
    ['a long sum', `x = 1${'+1'.repeat(100_000)}`],
    ['a long chain', `a${'.b()'.repeat(50_000)}`],
    ['conditions', `${'if(a)'.repeat(20_000)}b()`],
    ['functions', `${'function f(){'.repeat(5000)}${'}'.repeat(5000)}`],
    ['calls of calls', 'const f = (g) => g(g); f(f); f(() => f(f)); class A extends A {}'],
    [
      'names that every object has',
      '__proto__ = constructor; var hasOwnProperty = {}.__proto__; toString.constructor("x")',
    ],
    ['no UTF-8', '\ufffd\ufffd\0\u2028'],
    ['half a character', 'const a = "\ud800"'],
    ['many texts', `x = [${'"https://a.example/",'.repeat(20_000)}]`],
    ['joined texts', `x = ${'"a"+'.repeat(30_000)}"b"`],
    ['an open comment', `/*${'*'.repeat(500_000)}`],
    [
      'a slow pattern for somebody',
      `x = "${'a'.repeat(200_000)}@"; y = "${'-----BEGIN PRIVATE KEY-----\\n'.repeat(500)}"`,
    ],
  ])('%s', async (_, text) => {
    const facts = await analyse([file('a.js', text), file('b.js', "require('net')")], reader);
    expect(facts.uses.filter(({ path }) => path === 'b.js')).toMatchObject([{ what: 'net' }]);
    expect(facts.files).toBe(2);
  });

  it('is unknown where it takes all the memory or all the time, and the rest of the package is read', async () => {
    const small = openReader({ fileMs: 10_000, packageMs: 40_000, memoryMiB: 48 });
    const quick = openReader({ fileMs: 1, packageMs: 10_000, memoryMiB: 256 });
    const large = file('a.js', `x = [${'{a:1,b:[2,3]},'.repeat(200_000)}]`);
    try {
      const facts = await analyse([large, file('b.js', "require('net')")], small);
      expect(facts.unread).toMatchObject([
        { path: 'a.js', reason: expect.stringMatching(/MiB|reader|ended/) },
      ]);
      expect(facts.uses).toMatchObject([{ what: 'net' }]);
      expect((await analyse([large], quick)).unread).toMatchObject([
        { path: 'a.js', reason: expect.stringContaining('within') },
      ]);
    } finally {
      await small.close();
      await quick.close();
    }
  });

  it('says what it does not read: large files, and too many of them', async () => {
    const many = Array.from({ length: 20_001 }, (_, at) => file(`f${at}.js`, ''));
    expect(
      (await analyse([file('big.js', Buffer.alloc(8 * 1024 * 1024 + 1, 32))], reader)).unread,
    ).toHaveLength(1);
    expect((await analyse(many, reader)).unread).toMatchObject([
      { reason: expect.stringContaining('20000') },
    ]);
  });

  it('is kept by digest once it was read, and read anew where what was kept is not whole', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'lockkeeper-code-'));
    let reads = 0;
    const files = async () => {
      reads++;
      return [file('a.js', "require('net')")];
    };
    const first = await codeOf('a'.repeat(64), files, { reader, dir });
    expect(await codeOf('a'.repeat(64), files, { reader, dir })).toEqual(first);
    expect(reads).toBe(1);
    const [name = ''] = await readdir(dir);
    for (const half of [
      '',
      '{"version":1',
      '{"uses":[]}',
      'null',
      JSON.stringify({ ...first, uses: [{ what: 1 }] }),
    ]) {
      await writeFile(join(dir, name), half);
      expect(await codeOf('a'.repeat(64), files, { reader, dir })).toEqual(first);
    }
    expect(reads).toBe(6);
    await rm(dir, { recursive: true });
  });
});

describe('code that is made not to be found', () => {
  const MCP = 'from mcp.server.fastmcp import FastMCP\nmcp = FastMCP("x")\n@mcp.tool()\ndef t(x: str):\n    ';
  const cycle = (one: (at: number, next: number) => string): string =>
    Array.from({ length: 2000 }, (_, at) => one(at, (at * 7 + 1) % 2000)).join('\n');
  const files = [
    file('seven.py', '# -*- coding: utf-7 -*-\n# +AAo-import socket+AAo-'),
    file('escape.py', '# coding: unicode_escape\n# nothing \\nimport os\\nos.system("id")'),
    file('latin.py', Buffer.from('# coding: latin-1\nname = "caf\xe9"\nimport socket', 'latin1')),
    file('bom.py', '\ufeffimport socket'),
    file('old.py', 'import socket\nprint "x"\nos.system("id")'),
    file('deep.py', `import socket\n${'('.repeat(50_000)}1${')'.repeat(50_000)}`),
    file('null.py', 'import socket\0'),
    file('sixteen.py', Buffer.from('\ufeffimport socket', 'utf16le')),
    file('alone.pyc', Buffer.from([0xa7, 0x0d, 0x0d, 0x0a])),
    file('native.cpython-311-x86_64-linux-gnu.so', 'ELF'),
    file('byte.jsc', 'V8'),
    file('run.py', 'exec(open("data.txt").read())'),
    file('data.txt', 'import os\nos.system("id")'),
    file('index.js', 'require("./logo.png"); require("./lib/plain"); require("./notes.md")'),
    file('logo.png', 'require("child_process").exec("id")'),
    file('lib/plain', 'require("net")'),
    file('notes.md', '# Notes\n\nNothing runs *here*.'),
    file('start.pth', 'import os; os.system("id")'),
    file('patch.py', 'import socket, builtins\nsocket.socket.connect = None\nsetattr(builtins, "eval", 1)'),
    file('patch.js', 'const http = require("http"); http.request = () => 1; globalThis.fetch = () => 2;'),
    file('both.gif.js', 'GIF89a = 1; require("dgram")'),
    file('code.js.map', '{"version":3,"sourcesContent":["require(\\"child_process\\")"]}'),
    file('long.js', Buffer.alloc(10_000_000, 97)),
    file('names.py', `${MCP}eval(x${'.a'.repeat(5000)})`),
    file('cycle.py', `${cycle((at, next) => `def f${at}(x): f${next}(x + "${at}")`)}\n${MCP}f0(x)`),
    file(
      'cycle.js',
      `${cycle((at, next) => `function f${at}(x) { f${next}(x + "${at}") }`)} server.tool("t", { x: z.string() }, (a) => f0(a.x)); fetch("https://a.example")`,
    ),
  ];

  it('is found, or said not to be read', async () => {
    const whole = openReader({ fileMs: 20_000, packageMs: 40_000, memoryMiB: 512 });
    const { uses, hidden, unread, unfollowed } = await analyse(files, whole);
    await whole.close();
    const used = Map.groupBy(uses, ({ path }) => path);
    expect(
      Object.fromEntries([...used].map(([path, all]) => [path, all.map(({ what }) => what).join(', ')])),
    ).toEqual({
      'native.cpython-311-x86_64-linux-gnu.so': 'native.cpython-311-x86_64-linux-gnu.so',
      'byte.jsc': 'byte.jsc',
      'seven.py': 'socket',
      'escape.py': 'os.system',
      'latin.py': 'socket',
      'bom.py': 'socket',
      'old.py': 'socket, os.system',
      'deep.py': 'socket',
      'run.py': 'exec, open',
      'data.txt': 'os.system',
      'logo.png': 'child_process',
      'lib/plain': 'net',
      'start.pth': 'os.system',
      'patch.py': 'socket, replaces socket.socket.connect, replaces builtins',
      'patch.js': 'http, replaces http.request, replaces fetch',
      'both.gif.js': 'dgram',
      'names.py': 'eval',
      'cycle.js': 'fetch, a.example',
    });
    expect(hidden.map(({ kind, path }) => `${path}: ${kind}`).sort()).toEqual([
      'data.txt: code in a file that is called something else',
      'escape.py: text that an encoding of its own makes code',
      'logo.png: code in a file that is called something else',
      'seven.py: text that an encoding of its own makes code',
    ]);
    expect(unread.map(({ path }) => path).sort()).toEqual([
      'alone.pyc',
      'deep.py',
      'long.js',
      'null.py',
      'sixteen.py',
    ]);
    expect([...unfollowed].sort()).toEqual(['cycle.js', 'cycle.py', 'names.py']);
  });
});

describe('a package that is made to end its reader', () => {
  it.each<[string, Entry[]]>([
    ['a link', [{ path: 'package/a', type: 'SymbolicLink', linkpath: '/etc/passwd' }]],
    ['a hard link', [{ path: 'package/a', type: 'Link', linkpath: 'package/b' }]],
    ['a device', [{ path: 'package/a', type: 'CharacterDevice' }]],
    ['a pipe', [{ path: 'package/a', type: 'FIFO' }]],
    ['a way out', [{ path: 'package/../../a', text: 'x' }]],
    [
      'two paths in one',
      [
        { path: 'package/A.js', text: 'x' },
        { path: 'package/a.js', text: 'y' },
      ],
    ],
    ['a file of one gigabyte', [{ path: 'package/a', size: 1024 ** 3 }]],
    ['a million files', Array.from({ length: 100_001 }, (_, at) => ({ path: `package/${at}` }))],
  ])('is refused: %s', async (_, entries) => {
    await expect(readTarball(tarball(entries), 'it')).rejects.toMatchObject({ code: 'ARCHIVE_HOSTILE' });
  });

  it('is refused before it is unpacked: a small archive of more than a gigabyte', async () => {
    const limits = { maxEntries: 10, maxBytes: 1024 ** 2, maxFileBytes: 1024 ** 2 };
    const bomb = gzipSync(Buffer.alloc(8 * 1024 ** 2));
    await expect(readTarball(bomb, 'it', limits)).rejects.toMatchObject({ code: 'ARCHIVE_HOSTILE' });
  });

  it.each<[string, string]>([
    [
      'names that every object has',
      '{"__proto__":{"scripts":{"postinstall":"x"}},"constructor":1,"scripts":{"__proto__":{"install":"y"}}}',
    ],
    ['a huge list', `{"scripts":[${'1,'.repeat(200_000)}1]}`],
    ['deep nesting', `{"scripts":${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}}`],
    ['scripts that are no text', '{"scripts":{"postinstall":{"a":1},"install":null}}'],
    ['half of it', '{"scripts":{"postin'],
    ['nothing', ''],
    ['null', 'null'],
    ['no UTF-8', '\xff\xfe{"a":1}'],
  ])('a package.json with %s is read or is a finding', async (_, text) => {
    const purl = 'pkg:npm/a@1.0.0';
    const closure = { digest: '0', artifacts: [{ purl, location: 'node_modules/a' }] };
    const facts = { closure, files: async () => [file('package.json', text)] } as never;
    expect(['ok', 'fired']).toContain((await installScripts.run(facts)).outcome);
  });
});
