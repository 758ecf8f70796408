/** npm run quality -- [--data DIR] [--misses] [--json]: what the checks of texts find and what they cry wolf at. */
import { asLockkeeperError } from '../../schemas/errors.ts';
import { runQuality } from './command.ts';

try {
  process.exitCode = await runQuality(process.argv.slice(2), {
    out: (text) => void process.stdout.write(text),
  });
} catch (thrown) {
  const { message, code, exit } = asLockkeeperError(thrown);
  process.stderr.write(`quality: ${message} [${code}]\n`);
  process.exitCode = exit;
}
