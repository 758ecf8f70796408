/** The package as npm would carry it: compiled, complete, and working without a single TypeScript file. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, globSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { INITIALIZE } from '../bench/proxy/words.ts';
import { makeWorld, type World } from '../bench/proxy/world.ts';
import type { Company, foundCompany as Found } from '../cli/drill/company.ts';
import { type NpmRegistry, startNpmRegistry } from './helpers/npm-registry.ts';
import { plain } from './scanner/harness.ts';

/** Writes down what a process loaded, its own files and Node's, when it ends. */
const TELL = `import { registerHooks } from 'node:module';
import { writeFileSync } from 'node:fs';
const loaded = [];
registerHooks({ load: (url, context, next) => (loaded.push(url), next(url, context)) });
process.on('exit', () => writeFileSync(process.env.LOADED, [...loaded, ...process.moduleLoadList].join('\\n')));`;

const GATEWAY = ['gateway', '--listen', '127.0.0.1:0', '--json'];

/** What an idle runtime would hold for nothing: whoever needs it loads it then. */
const LATER = [
  /node_modules\/(?:undici|jose|tar|pacote|pg|fastify|graphile-worker|pino|node-cron|aws4fetch|@sigstore|@npmcli|@babel)\//,
  /node_modules\/typebox\/build\/(?:type|value|compile)\//,
  /\/dist\/(?:scanner\/(?!text\.js)|registry|web)\//,
  /^NativeModule (?:internal\/deps\/undici\/undici|http2|https|assert)$/,
];

const root = dirname(import.meta.dirname);

describe('the published package', () => {
  let dir: string;
  let npm: NpmRegistry;
  let company: Company;

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'lk-package-'));
    chmodSync(dir, 0o755);
    execFileSync(process.execPath, [join(root, 'scripts/build.ts')], { stdio: 'pipe' });
    execFileSync('npm', ['pack', '--pack-destination', dir, '--loglevel=error'], {
      cwd: root,
      stdio: 'pipe',
    });
    const [archive = ''] = globSync('*.tgz', { cwd: dir });
    execFileSync('tar', ['-xzf', join(dir, archive), '-C', dir]);
    symlinkSync(join(root, 'node_modules'), join(dir, 'package/node_modules'));
    npm = await startNpmRegistry([plain({ tools: [{ name: 'echo', inputSchema: { type: 'object' } }] })]);
    const entry = pathToFileURL(join(dir, 'package/dist/cli/drill/company.js')).href;
    const { foundCompany } = (await import(/* @vite-ignore */ entry)) as { foundCompany: typeof Found };
    company = await foundCompany({ dir, npmRegistry: npm.url, environment: process.env });
  });
  afterAll(async () => {
    await company?.close();
    await npm?.close();
    if (dir) rmSync(dir, { recursive: true, force: true });
  });

  it('holds no sources and no tests', () => {
    const files = globSync('**/*', { cwd: join(dir, 'package'), exclude: ['node_modules'] });
    expect(files.filter((file) => /\.ts$|^(?:test|bench|scripts)\b/.test(file))).toEqual([]);
  });

  it('serves the whole dashboard', async () => {
    const page = await (await fetch(company.url)).text();
    expect(page).toContain('/assets/main.js');
    const seen = new Set<string>();
    const follow = async (address: string): Promise<void> => {
      if (seen.has(address)) return;
      seen.add(address);
      const answer = await fetch(new URL(address, company.url));
      expect(answer.status, address).toBe(200);
      const text = await answer.text();
      for (const [, next = ''] of text.matchAll(/from '\.\/([a-z]+\.js)'/g)) await follow(`/assets/${next}`);
    };
    const named = [...page.matchAll(/"(\/assets\/[^"]+)"/g)].map(([, address = '']) => address);
    expect(named).toEqual(
      expect.arrayContaining(['/assets/main.js', '/assets/style.css', '/assets/icon.svg']),
    );
    for (const address of named) await follow(address);
    expect(seen.size).toBeGreaterThan(6);
  });

  it('scans a server', async () => {
    const { report } = (await company.must('admin', 'publish', 'npm:@acme/server@1.0.0')) as {
      report: { surface: { tools: string[] } };
    };
    expect(report.surface.tools).toEqual(['echo']);
  });

  describe('when it is idle', () => {
    let world: World;

    /** What it has loaded when it has said its first word and is stopped. */
    async function loadedBy(words: readonly string[]): Promise<string[]> {
      const told = join(world.dir, 'loaded');
      const main = join(dir, 'package/dist/cli/main.js');
      const tell = `data:text/javascript,${encodeURIComponent(TELL)}`;
      const child = spawn(process.execPath, ['--import', tell, main, ...words], {
        cwd: world.project,
        env: { PATH: process.env.PATH ?? '', LOCKKEEPER_HOME: world.home, LOADED: told },
        stdio: ['pipe', 'pipe', 'ignore'],
      });
      const hello = { jsonrpc: '2.0', id: 1, method: 'initialize', params: INITIALIZE };
      child.stdin.write(`${JSON.stringify(hello)}\n`);
      const [first] = (await once(child.stdout, 'data')) as [Buffer];
      expect(first.toString()).toMatch(/"servers":|"result":/);
      child.stdin.end();
      child.kill('SIGTERM');
      await once(child, 'exit');
      return readFileSync(told, 'utf8').split('\n');
    }

    beforeAll(async () => {
      const below = mkdtempSync(join(dir, 'world-'));
      chmodSync(below, 0o755);
      world = await makeWorld(below);
      // The first start lays out what is locked, and needs an archive library for that.
      expect((await loadedBy(GATEWAY)).some((name) => name.includes('node_modules/tar/'))).toBe(true);
    });
    afterAll(() => {
      for (const child of world?.processes ?? []) child.kill('SIGKILL');
    });

    it.each([
      ['lk gateway', GATEWAY],
      ['lk run', ['run', 'here']],
    ])('%s holds nothing that waits to be needed', async (_, words) => {
      const loaded = await loadedBy(words);
      expect(loaded.some((name) => name.endsWith('dist/runtime/gate/gate.js'))).toBe(true);
      expect(loaded.filter((name) => LATER.some((pattern) => pattern.test(name)))).toEqual([]);
    });
  });
});
