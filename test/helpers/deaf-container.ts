/** A runtime with one container, whose server neither minds the end of its input nor being told to end; until it is killed. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { container } from '../../runtime/isolation/container.ts';
import { openDir, planFor } from './sandbox.ts';

const [, , id = ''] = process.argv;
const dir = openDir();
const server = "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000); console.log('up');";
writeFileSync(join(dir, 'deaf.js'), server);
const driver = container({ engine: 'podman', nodePath: process.execPath });
// Files for a container's user take root.
const secrets = process.getuid?.() === 0 ? [{ name: 'TOKEN', value: 'a secret' }] : [];
const running = await driver.start(planFor(dir, ['node', '/app/deaf.js'], { id, secrets }));
running.stdout.pipe(process.stdout);
