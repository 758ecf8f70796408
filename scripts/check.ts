// npm run check: types, format and lint, and the type-aware rules that find promises nobody waits for.
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';

const root = dirname(import.meta.dirname);
const bin = (name: string): string => join(root, 'node_modules/.bin', name);
const steps: readonly (readonly [string, ...string[]])[] = [
  [bin('tsc'), '-p', '.'],
  [bin('tsc'), '-p', 'tsconfig.web.json'],
  [bin('biome'), 'ci', '--error-on-warnings', '.'],
  [
    bin('oxlint'),
    '--type-aware',
    '--deny-warnings',
    '-A',
    'all',
    '-D',
    'typescript/no-floating-promises',
    '-D',
    'typescript/no-misused-promises',
    '-D',
    'typescript/await-thenable',
    'schemas',
    'runtime',
    'scanner',
    'registry',
    'cli',
    'bench',
    'scripts',
  ],
];

for (const [command, ...words] of steps) {
  const { status } = spawnSync(command, words, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
  if (status !== 0) process.exitCode = 1;
}
