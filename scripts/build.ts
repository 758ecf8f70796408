// npm run build: compiles to dist/ for publishing, where type stripping does not run, and copies what is not TypeScript.
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, globSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const root = dirname(import.meta.dirname);
const out = join(root, 'dist');
rmSync(out, { recursive: true, force: true });
const BROWSER = ['-p', 'tsconfig.web.json', '--noEmit', 'false', '--outDir', 'dist', '--rootDir', '.'];
for (const words of [['-p', 'tsconfig.build.json'], BROWSER]) {
  const { status } = spawnSync(join(root, 'node_modules/.bin/tsc'), words, { cwd: root, stdio: 'inherit' });
  if (status !== 0) process.exit(1);
}
for (const file of globSync('{runtime,scanner,registry,cli,web}/**/*.{json,cjs,mjs,py,sql,css,svg,html,js}', {
  cwd: root,
})) {
  cpSync(join(root, file), join(out, file));
}
const main = join(out, 'cli/main.js');
writeFileSync(main, `#!/usr/bin/env node\n${readFileSync(main, 'utf8').replace(/^#!.*\n/, '')}`);
chmodSync(main, 0o755);
