/** Servers in JavaScript that were wrong, and mended: what known-flows.test.ts follows. */
export interface Known {
  /** As others name it. */
  readonly name: string;
  readonly flow: string;
  readonly before: Readonly<Record<string, string>>;
  readonly after: Readonly<Record<string, string>>;
  /** What is still told once it is mended, and why that is less. */
  readonly still?: string;
}

const NODE = `import { exec, execSync, execFile, execFileSync, spawn } from 'node:child_process';
import { promisify } from 'node:util';
import fs from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
`;
/** A handler of tools by their names, as the SDK's own examples have it. */
const asked = (name: string, body: string): string =>
  `server.setRequestHandler(CallToolRequestSchema, async (request) => { const { name, arguments: input } = request.params; switch (name) { case '${name}': ${body} } });`;
const js = (head: string, rest: string): Record<string, string> => ({ 'index.js': NODE + head + rest });

export const JAVASCRIPT: readonly Known[] = [
  {
    name: 'CVE-2025-53355, commands for a cluster by a shell',
    flow: 'command of kubectl_scale -> shell',
    before: {
      'index.js': `import { scale } from './tools/index.js';\n${asked('kubectl_scale', 'return scale(manager, input)')}`,
      'tools/index.js': "export * from './scale.js';",
      'tools/scale.js':
        "import { execSync } from 'child_process'; export async function scale(manager, input) { const line = `kubectl scale ${input.command}`; return execSync(line).toString(); }",
    },
    after: {
      'index.js': `import { scale } from './tools/index.js';\n${asked('kubectl_scale', 'return scale(manager, input)')}`,
      'tools/index.js': "export * from './scale.js';",
      'tools/scale.js':
        "import { execFileSync } from 'child_process'; export async function scale(manager, input) { const words = ['scale']; words.push(input.command); return execFileSync('kubectl', ['scale', '--', input.command]); }",
    },
  },
  {
    name: 'CVE-2025-53967, a request that falls back to a program',
    flow: 'fileKey of get_data -> shell',
    before: js(
      'const run = promisify(exec); class Api { constructor(key) { this.key = key; } async request(at) { return fetchOr(`https://api.example.com${at}`); } get(key) { return this.request(`/files/${key}`); } } const api = new Api("k"); async function fetchOr(url) { try { return await fetch(url); } catch { return run(`curl -s "${url}"`); } }',
      "server.tool('get_data', 'd', { fileKey: z.string() }, async ({ fileKey }) => api.get(fileKey));",
    ),
    after: js(
      'const run = promisify(execFile); class Api { constructor(key) { this.key = key; } async request(at) { return fetchOr(`https://api.example.com${at}`); } get(key) { return this.request(`/files/${key}`); } } const api = new Api("k"); async function fetchOr(url) { try { return await fetch(url); } catch { return run("curl", ["-s", url]); } }',
      "server.tool('get_data', 'd', { fileKey: z.string().regex(/^[a-z0-9]+$/i) }, async ({ fileKey }) => api.get(fileKey));",
    ),
  },
  {
    name: 'CVE-2025-53107, git by a shell, behind a wrapper and a schema',
    flow: 'message of git_commit -> shell',
    before: {
      'index.js': `import { commit } from './logic.js'; import { z } from 'zod'; const run = (f) => async (args) => { try { return await f(args); } catch (e) { return e; } };
        server.registerTool('git_commit', { description: 'd', inputSchema: { message: z.string(), path: z.string() } }, run(async (args) => commit(args)));`,
      'logic.js':
        "import { exec } from 'child_process'; import { promisify } from 'util'; const execAsync = promisify(exec); export async function commit(input) { let line = `git -C . commit -m \"${input.message}\"`; return execAsync(line); }",
    },
    after: {
      'index.js': `import { commit } from './logic.js'; import { z } from 'zod'; const run = (f) => async (args) => { try { return await f(args); } catch (e) { return e; } };
        server.registerTool('git_commit', { description: 'd', inputSchema: { message: z.string(), path: z.string() } }, run(async (args) => commit(args)));`,
      'logic.js':
        "import { execFile } from 'child_process'; import { promisify } from 'util'; const execFileAsync = promisify(execFile); export async function commit(input) { const args = ['commit', `--message=${input.message}`]; return execFileAsync('git', args); }",
    },
  },
  {
    name: 'CVE-2025-53110, a folder whose name another begins with',
    flow: 'path of read_file -> path',
    before: js(
      "const Args = z.object({ path: z.string() }); const allowedDirectories = process.argv.slice(2); async function validatePath(p) { const absolute = path.resolve(p); const allowed = allowedDirectories.some((dir) => absolute.startsWith(dir)); if (!allowed) throw new Error('no'); return absolute; }",
      asked(
        'read_file',
        'const parsed = Args.safeParse(input); if (!parsed.success) throw 1; return fs.readFile(await validatePath(parsed.data.path));',
      ),
    ),
    after: js(
      "const Args = z.object({ path: z.string() }); const allowedDirectories = process.argv.slice(2); async function validatePath(p) { const absolute = path.resolve(p); const allowed = allowedDirectories.some((dir) => absolute === dir || absolute.startsWith(dir + path.sep)); if (!allowed) throw new Error('no'); return absolute; }",
      asked(
        'read_file',
        'const parsed = Args.safeParse(input); if (!parsed.success) throw 1; return fs.readFile(await validatePath(parsed.data.path));',
      ),
    ),
  },
  {
    name: 'CVE-2025-5277, an allow list for the first word of a command line',
    flow: 'command of aws -> shell',
    before: js(
      "const ALLOWED = ['aws'];",
      asked(
        'aws',
        "const first = input.command.split(' ')[0]; if (!ALLOWED.includes(first)) throw new Error('no'); return execSync(input.command);",
      ),
    ),
    after: js(
      "const ALLOWED = ['aws']; const COMMANDS = new Set(['s3 ls']);",
      asked(
        'aws',
        "if (!COMMANDS.has(input.command)) throw new Error('no'); return execSync(input.command);",
      ),
    ),
  },
  {
    name: 'CVE-2025-65513, a page by any address',
    flow: 'url of fetch_html -> address',
    before: {
      'index.cjs':
        "const { Fetcher } = require('./fetcher.cjs'); server.setRequestHandler(CallToolRequestSchema, async (request) => { const args = Payload.parse(request.params.arguments); if (request.params.name === 'fetch_html') return Fetcher.html(args); });",
      'fetcher.cjs':
        'class Fetcher { static async _fetch({ url, headers }) { return fetch(url, { headers }); } static async html(payload) { return (await this._fetch(payload)).text(); } } module.exports = { Fetcher };',
    },
    after: {
      'index.cjs':
        "const { Fetcher } = require('./fetcher.cjs'); server.setRequestHandler(CallToolRequestSchema, async (request) => { const args = Payload.parse(request.params.arguments); if (request.params.name === 'fetch_html') return Fetcher.html(args); });",
      'fetcher.cjs':
        "const isPrivate = require('is-private'); class Fetcher { static async _fetch({ url, headers }) { const at = new URL(url); if (isPrivateHost(at.hostname)) throw new Error('no'); if (!HOSTS.has(at.hostname)) throw new Error('no'); return fetch(url, { headers }); } static async html(payload) { return (await this._fetch(payload)).text(); } } module.exports = { Fetcher };",
    },
  },
  {
    name: 'a read-only query that may be several statements',
    flow: 'sql of query -> whole query',
    before: js(
      "import pg from 'pg'; const pool = new pg.Pool({});",
      "server.setRequestHandler(CallToolRequestSchema, async (request) => { if (request.params.name === 'query') { const sql = request.params.arguments?.sql; const client = await pool.connect(); await client.query('BEGIN TRANSACTION READ ONLY'); return client.query(sql); } });",
    ),
    after: js(
      "import pg from 'pg'; const pool = new pg.Pool({});",
      "server.setRequestHandler(CallToolRequestSchema, async (request) => { if (request.params.name === 'query') { const sql = request.params.arguments?.sql; const client = await pool.connect(); await client.query('BEGIN TRANSACTION READ ONLY'); return client.query({ name: 'one', text: sql, values: [] }); } });",
    ),
  },
  {
    name: 'a table name in a query, of a table of handlers',
    flow: 'table of  -> query',
    before: js(
      "import Database from 'better-sqlite3'; const db = new Database('a.db'); const handlers = { describe: (a) => db.prepare(`PRAGMA table_info(${a.table})`).all() };",
      'server.setRequestHandler(CallToolRequestSchema, async (request) => handlers[request.params.name](request.params.arguments));',
    ),
    after: js(
      "import Database from 'better-sqlite3'; const db = new Database('a.db'); const handlers = { describe: (a) => db.prepare('SELECT * FROM pragma_table_info(?)').all(a.table) };",
      'server.setRequestHandler(CallToolRequestSchema, async (request) => handlers[request.params.name](request.params.arguments));',
    ),
  },
  {
    name: 'CVE-2025-6514, an address that a server answers and a program opens',
    flow: 'answer another machine -> program',
    before: js(
      "import open from 'open';",
      'export async function signIn(server) { const meta = await (await fetch(server)).json(); await open(meta.authorization_endpoint); }',
    ),
    after: js(
      "import open from 'open';",
      "export async function signIn(server) { const meta = await (await fetch(server)).json(); const at = new URL(meta.authorization_endpoint); if (at.protocol !== 'https:') throw new Error('no'); await open(at.href); }",
    ),
  },
  {
    name: 'a container by a shell, in one bundled file',
    flow: 'image of run -> shell',
    before: {
      'bundle.cjs': `var __commonJS = (cb, mod) => function () { return mod || (0, cb[Object.keys(cb)[0]])((mod = { exports: {} }).exports, mod), mod.exports; };
        var require_run = __commonJS({ "run.js"(exports, module) { const cp = require("child_process"); class Base { start(line) { return cp.execSync(line); } } class Docker extends Base { run(image) { return this.start("docker run " + image); } } exports.docker = new Docker(); } });
        var run = __toESM(require_run()); server.addTool({ name: 'run', description: 'd', parameters: z.object({ image: z.string() }), execute: async (a) => run.docker.run(a.image) });`,
    },
    after: {
      'bundle.cjs': `var __commonJS = (cb, mod) => function () { return mod || (0, cb[Object.keys(cb)[0]])((mod = { exports: {} }).exports, mod), mod.exports; };
        var require_run = __commonJS({ "run.js"(exports, module) { const cp = require("child_process"); class Base { start(words) { return cp.execFileSync("docker", words); } } class Docker extends Base { run(image) { return this.start(["run", "--", image]); } } exports.docker = new Docker(); } });
        var run = __toESM(require_run()); server.addTool({ name: 'run', description: 'd', parameters: z.object({ image: z.string() }), execute: async (a) => run.docker.run(a.image) });`,
    },
  },
];
