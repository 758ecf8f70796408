/** A port that a server leaves and takes again. */
import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below what Linux gives to whoever asks for any port (32768), so that nobody gets it by chance meanwhile. */
const [FIRST, COUNT] = [12_000, 20_000];

/** One of loopback that is free now. */
export async function portToKeep(): Promise<number> {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * COUNT);
    const server = createServer().listen(port, '127.0.0.1');
    const free = await Promise.race([
      once(server, 'listening').then(() => true),
      once(server, 'error').then(() => false),
    ]).catch(() => false);
    if (!free) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
}
