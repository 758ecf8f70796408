/** Entry of the container image: one role, until it is told to stop. */
import { asLockkeeperError } from '../schemas/errors.ts';
import { loadConfig } from './config.ts';
import { startRegistry } from './start.ts';

try {
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const registry = await startRegistry(loadConfig(process.env), { log: say });
  say(
    registry.url
      ? `ready at ${registry.url}; administrator's one-time code: ${registry.code}`
      : 'scanner ready',
  );
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void registry.close().then(() => process.exit(0)));
} catch (thrown) {
  const error = asLockkeeperError(thrown);
  process.stderr.write(`lockkeeper: ${error.message} [${error.code}]\n`);
  process.exitCode = error.exit;
}
