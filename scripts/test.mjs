// npm test: everything, on a machine with nothing but Node and npm. As root on Debian it installs the real parts the
// tests run against; elsewhere a missing part fails the test that needs it and says which package brings it.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, relative } from 'node:path';
import { mayTryAgain, resultOf, tellingTo } from './again.mjs';
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
const run = (words, more = {}) =>
  spawnSync(node, words, { cwd: root, env: { ...env, ...more }, stdio: 'inherit' }).status ?? 1;

/** What vitest says of `words`. */
function tested(words) {
  const folder = mkdtempSync(join(tmpdir(), 'lockkeeper-tests-'));
  const results = join(folder, 'results');
  const telling = tellingTo(results);
  const code = run(['node_modules/vitest/vitest.mjs', 'run', ...telling.words, ...words], telling.env);
  const result = resultOf(code, results);
  rmSync(folder, { recursive: true, force: true });
  return result;
}

const words = process.argv.slice(2);
const say = (line) => process.stdout.write(`\n${line}\n`);
const checked = words.length > 0 ? 0 : run(['scripts/check.ts']);
const first = tested(words);
let { code, passed, failed } = first;
const { files } = first;
const unsteady = files.map((file) => relative(root, file));
if (words.length === 0 && mayTryAgain(first)) {
  say(`Once more, by themselves: ${unsteady.join(', ')}`);
  const again = tested(files);
  code = again.code;
  if (code === 0) [passed, failed] = [passed + failed, 0];
  if (code === 0) say(`Unsteady, to be mended: ${unsteady.join(', ')} failed at first and passed alone.`);
}
if (first.loose > 0) say(`${first.loose} errors belong to no test; see above.`);
if (checked !== 0) say('The static checks failed; see the top of this output.');
say(`${passed} passed, ${failed} failed`);
process.exit(checked || code || (passed === 0 ? 1 : 0));
