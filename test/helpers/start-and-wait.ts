/** Starts /app/stay.js of a folder in the sandbox, tells its process id and waits to be killed. */
import { driver, planFor } from './sandbox.ts';

const started = await driver.start(planFor(process.argv[2] ?? '', ['node', '/app/stay.js']));
process.stdout.write(String(started.pid));
setInterval(() => undefined, 1000);
