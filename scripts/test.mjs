// npm test: everything, on a machine with nothing but Node and npm. As root on Debian it installs the real parts the
// tests run against; elsewhere a missing part fails the test that needs it and says which package brings it.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { install, node24, root } from './node24.mjs';

const PARTS = {
  bubblewrap: '/usr/bin/bwrap',
  postgresql: '/usr/lib/postgresql',
  podman: '/usr/bin/podman',
  strace: '/usr/bin/strace',
  'openssh-client': '/usr/bin/ssh-agent',
  openssl: '/usr/bin/openssl',
  runc: '/usr/sbin/runc',
  chromium: '/usr/bin/chromium',
  'fonts-dejavu-core': '/usr/share/fonts/truetype/dejavu',
};

function debian() {
  const missing = Object.keys(PARTS).filter((name) => !existsSync(PARTS[name]));
  if (missing.length === 0 || process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) return;
  process.stderr.write(`Installing for the tests: ${missing.join(', ')}…\n`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const apt = (...words) => spawnSync('apt-get', words, { env, stdio: ['ignore', 'ignore', 2] });
  apt('update', '-qq');
  apt('install', '-y', '-qq', '--no-install-recommends', ...missing);
}

install();
debian();
const node = node24();
const env = { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env.PATH}` };
const run = (...words) => spawnSync(node, words, { cwd: root, env, stdio: 'inherit' }).status ?? 1;

const words = process.argv.slice(2);
const checked = words.length > 0 ? 0 : run('scripts/check.ts');
const results = join(tmpdir(), `lockkeeper-tests-${process.pid}.json`);
const tested = run(
  'node_modules/vitest/vitest.mjs',
  'run',
  '--reporter=default',
  '--reporter=json',
  `--outputFile.json=${results}`,
  ...words,
);
let counts = { numPassedTests: 0, numFailedTests: 1 };
if (existsSync(results)) counts = JSON.parse(readFileSync(results, 'utf8'));
rmSync(results, { force: true });
if (checked !== 0) process.stdout.write('\nThe static checks failed; see the top of this output.\n');
process.stdout.write(`\n${counts.numPassedTests} passed, ${counts.numFailedTests} failed\n`);
process.exit(checked || tested || (counts.numPassedTests === 0 ? 1 : 0));
