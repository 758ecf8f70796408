/** The floor: a byte pipe before a server that appends each client line to a file, one group fdatasync before it forwards. */
import { spawn } from 'node:child_process';
import { fdatasync, openSync, write } from 'node:fs';
import { join } from 'node:path';

const [dir = '', server = ''] = process.argv.slice(2);
const child = spawn(process.execPath, [server]);
child.stdout.pipe(process.stdout);
const fd = openSync(join(dir, 'lines'), 'a');
let waiting: Buffer[] = [];
let busy = false;
function flush(): void {
  if (busy || waiting.length === 0) return;
  busy = true;
  const bytes = Buffer.concat(waiting);
  waiting = [];
  write(fd, bytes, () =>
    fdatasync(fd, () => {
      child.stdin.write(bytes);
      busy = false;
      flush();
    }),
  );
}
process.stdin.on('data', (chunk: Buffer) => {
  waiting.push(chunk);
  flush();
});
process.stdin.on('end', () => child.stdin.end());
