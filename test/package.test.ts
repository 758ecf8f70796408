/** The package as npm would carry it: compiled, complete, and working without a single TypeScript file. */
import { execFileSync } from 'node:child_process';
import { chmodSync, globSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Company, foundCompany as Found } from '../cli/drill/company.ts';
import { type NpmRegistry, startNpmRegistry } from './helpers/npm-registry.ts';
import { plain } from './scanner/harness.ts';

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
    await follow('/assets/main.js');
    await follow('/assets/style.css');
    expect(seen.size).toBeGreaterThan(6);
  });

  it('scans a server', async () => {
    const { report } = (await company.must('admin', 'publish', 'npm:@acme/server@1.0.0')) as {
      report: { surface: { tools: string[] } };
    };
    expect(report.surface.tools).toEqual(['echo']);
  });
});
