/** lk: argv -> one verb -> one result, printed in one place, one exit code. */
import { asLockkeeperError, CODES, LockkeeperError, quote } from '../schemas/errors.ts';
import { problemOf } from '../schemas/problem.ts';
import { isSlip, nearest } from '../schemas/slip.ts';
import { VERSION } from '../schemas/version.ts';
import { type Api, openApi } from './api.ts';
import { type Command, type Context, flag, parseWords, type Result, text, type Values } from './command.ts';
import { commands, groups } from './commands/index.ts';
import { loadCliConfig } from './config.ts';
import { helpOf, overview } from './help.ts';
import { type Home, openHome, type SignIn } from './home.ts';
import { fitTo, makePaint, plain } from './output.ts';

/** Where a command is given: the folder, and who hears what it says. */
export interface Place {
  readonly cwd: string;
  readonly stdout: Hearer;
  readonly stderr: Hearer;
}
interface Hearer {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** Never rejects: what went wrong is told, and the exit code says it. */
export async function lk(
  argv: readonly string[],
  environment: NodeJS.ProcessEnv,
  place: Place = { cwd: process.cwd(), stdout: process.stdout, stderr: process.stderr },
): Promise<number> {
  const json = argv.includes('--json');
  const { stdout } = place;
  try {
    if (stdout.isTTY === true && stdout.columns) fitTo(stdout.columns);
    const config = loadCliConfig(environment, stdout.isTTY === true);
    const [name, ...rest] = verbFirst([
      ...argv.filter((word) => word !== '--json'),
      ...(json ? ['--json'] : []),
    ]);
    const paint = makePaint(config.color);
    if (name === '--version' || name === '-v' || name === 'version') {
      stdout.write(json ? `${JSON.stringify({ version: VERSION })}\n` : `${VERSION}\n`);
      return 0;
    }
    if (name === undefined || name === '--json' || name === '--help' || name === '-h' || name === 'help') {
      const about = name === 'help' ? rest[0] : undefined;
      stdout.write(
        about === undefined ? await overview(groups, paint) : helpOf(about, await findCommand(about), paint),
      );
      return name === undefined || name === '--json' ? CODES.USAGE.exit : 0;
    }
    const command = await findCommand(name);
    const { words, values } = parsed(name, command, rest);
    if (flag(values, 'help')) {
      stdout.write(helpOf(name, command, paint));
      return 0;
    }
    const home = openHome(config.home);
    const context = makeContext({ config, home, values, place });
    const result = await command.run(context, words, values).catch(async (error: unknown) => {
      throw await withOthers(error, home);
    });
    return print(result, json, place);
  } catch (error) {
    return printError(asLockkeeperError(error), json, place);
  }
}

/** A verb of two words, such as `keys root`, is one. */
function verbFirst(argv: readonly string[]): readonly [string | undefined, ...string[]] {
  const [first, second, ...rest] = argv;
  const both = `${first} ${second}`;
  return Object.hasOwn(commands, both) ? [both, ...rest] : [first, ...argv.slice(1)];
}

/** Where the second word is a slip away from that of a verb of two words, the refusal names it. */
function parsed(name: string, command: Command, rest: readonly string[]): ReturnType<typeof parseWords> {
  try {
    return parseWords(name, command, rest);
  } catch (error) {
    const meant = Object.keys(commands).find((verb) => isSlip(`${name} ${rest[0]}`, verb));
    if (meant === undefined || !(error instanceof LockkeeperError)) throw error;
    const { expected, found, next, cause } = error;
    throw new LockkeeperError('USAGE', { expected, found, next: `Did you mean lk ${meant}? ${next}`, cause });
  }
}

/** Where one person may not, another who signed in on this machine perhaps may. */
async function withOthers(error: unknown, home: Home): Promise<unknown> {
  if (!(error instanceof LockkeeperError) || error.code !== 'FORBIDDEN') return error;
  const { expected, found, next } = error;
  const people = [...new Set((await home.signIns().catch(() => [])).map(({ person }) => person))];
  if (!expected.startsWith('one of the roles') || people.length < 2) return error;
  const others = people.map((person) => `--as ${person}`).join(', ');
  return new LockkeeperError('FORBIDDEN', {
    expected,
    found,
    next: `${next}; signed in here are ${others}`,
    cause: error,
  });
}

async function findCommand(name: string): Promise<Command> {
  const load = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (load) return load();
  const meant = nearest(name, Object.keys(commands));
  throw new LockkeeperError('USAGE', {
    expected: 'one of the verbs that lk --help lists',
    found: quote(name),
    next: meant === undefined ? 'See: lk --help' : `Did you mean lk ${meant}? All verbs: lk --help`,
  });
}

function makeContext(from: Pick<Context, 'config' | 'home'> & { values: Values; place: Place }): Context {
  const { config, home, values, place } = from;
  const { cwd, stderr } = place;
  const terminal = stderr.isTTY === true;
  return {
    config,
    home,
    cwd,
    paint: makePaint(config.color),
    say: (line) => void stderr.write(`${line}\n`),
    // A line that wraps could not be taken back.
    progress: (line) =>
      void (terminal && stderr.write(`\r\u001b[K${line.slice(0, (stderr.columns ?? 80) - 1)}`)),
    now: () => new Date(),
    json: flag(values, 'json'),
    api: async (registry) => {
      const given = text(values, 'registry');
      if (registry !== undefined && given !== undefined && given.replace(/\/+$/, '') !== registry)
        throw otherRegistry(registry, given);
      return connect(await home.signIns(), { config, registry: registry ?? given, as: text(values, 'as') });
    },
  };
}

function otherRegistry(expected: string, found: string): LockkeeperError {
  return new LockkeeperError('USAGE', {
    expected: `the registry of lockkeeper.json, ${expected}`,
    found: `--registry ${found}`,
    next: 'Leave it out, or change lockkeeper.json',
  });
}

function connect(
  signIns: readonly SignIn[],
  want: { config: Context['config']; registry: string | undefined; as: string | undefined },
): Api {
  const { token } = want.config;
  if (token && want.as === undefined && (want.registry ?? token.registry) === token.registry)
    return openApi(token.registry, token.secret);
  const found = signIns.find(
    (item) =>
      (want.registry === undefined || item.registry === want.registry) &&
      (want.as === undefined || item.person === want.as),
  );
  if (found) return openApi(found.registry, found.token);
  throw new LockkeeperError('UNAUTHENTICATED', {
    expected: `a sign-in ${want.as ? `of ${want.as} ` : ''}${want.registry ? `at ${want.registry}` : 'at a registry'}`,
    found: 'none on this machine',
    next: 'Run: lk login URL --code CODE (the registry prints both when it starts), or set LOCKKEEPER_TOKEN, LOCKKEEPER_REGISTRY and LOCKKEEPER_ROOT_KEYS',
  });
}

function print(result: Result | null, json: boolean, { stdout }: Place): number {
  if (result === null) return process.exitCode === undefined ? 0 : Number(process.exitCode);
  if (json) stdout.write(`${JSON.stringify(result.data)}\n`);
  else if (result.text !== '') stdout.write(result.text.endsWith('\n') ? result.text : `${result.text}\n`);
  return result.exit ?? 0;
}

function printError(error: LockkeeperError, json: boolean, { stdout, stderr }: Place): number {
  if (json) stdout.write(`${JSON.stringify({ error: problemOf(error, CODES[error.code].title) })}\n`);
  else stderr.write(`lk: ${plain(error.message)} [${error.code}]\n`);
  return error.exit;
}
