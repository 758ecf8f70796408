// npm test: everything, on a machine with nothing but Node and npm. As root on Debian it installs the real parts the
// tests run against; elsewhere a missing part fails the test that needs it and says which package brings it.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, relative } from 'node:path';
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

/** Files tried once more, by themselves; more failures than these are no matter of a busy machine. */
const AGAIN = 3;

/** What vitest says of `words`: its exit code, its counts and the files that failed. Without a report, all failed. */
function tested(words) {
  const results = join(tmpdir(), `lockkeeper-tests-${process.pid}.json`);
  rmSync(results, { force: true });
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${results}`];
  const code = run('node_modules/vitest/vitest.mjs', 'run', ...reporters, ...words);
  if (!existsSync(results)) return { code: code || 1, passed: 0, failed: 1, files: [] };
  const { numPassedTests, numFailedTests, testResults } = JSON.parse(readFileSync(results, 'utf8'));
  rmSync(results, { force: true });
  const files = testResults.filter(({ status }) => status === 'failed').map(({ name }) => name);
  return { code, passed: numPassedTests, failed: numFailedTests, files };
}

const words = process.argv.slice(2);
const say = (line) => process.stdout.write(`\n${line}\n`);
const checked = words.length > 0 ? 0 : run('scripts/check.ts');
let { code, passed, failed, files } = tested(words);
const unsteady = files.map((file) => relative(root, file));
if (words.length === 0 && failed > 0 && files.length > 0 && files.length <= AGAIN) {
  say(`Once more, by themselves: ${unsteady.join(', ')}`);
  const again = tested(files);
  code = again.code;
  if (code === 0) [passed, failed] = [passed + failed, 0];
  if (code === 0) say(`Unsteady, to be mended: ${unsteady.join(', ')} failed at first and passed alone.`);
}
if (checked !== 0) say('The static checks failed; see the top of this output.');
say(`${passed} passed, ${failed} failed`);
process.exit(checked || code || (passed === 0 ? 1 : 0));
