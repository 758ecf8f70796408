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
const running = await driver.start(planFor(dir, ['node', '/app/deaf.js'], { id }));
running.stdout.pipe(process.stdout);
