/** Remembers one newer lock after the other, and tells each once it is written, until it is killed. */
import { flushCompileCache } from 'node:module';
import { openHome } from '../../cli/home.ts';

const [dir = '', audience = '', from = '0'] = process.argv.slice(2);
const home = openHome(dir);
const digest = `sha256:${'5'.repeat(64)}`;
// For the writers that follow: this one does not come to its end.
flushCompileCache();
const checkpoint = `log.acme.test\n1\n${'A'.repeat(43)}=\n`.repeat(200);
for (let version = Number(from) + 1; ; version++) {
  await home.saw(audience, { version, digest, rootVersion: 3, checkpoint });
  process.send?.(version);
}
