// npm start and its siblings: install what is missing, then run the given file on Node 24 with the rest of the words.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { install, node24, root } from './node24.mjs';

const [file, ...words] = process.argv.slice(2);
install();
const child = spawn(node24(), ['--disable-warning=ExperimentalWarning', join(root, file), ...words], {
  stdio: 'inherit',
  // Where the person stands: npm itself changes to the package's folder.
  cwd: process.env.INIT_CWD ?? process.cwd(),
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.on('exit', (code, signal) => process.exit(signal ? 1 : (code ?? 1)));
