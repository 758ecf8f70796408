/** What a client's command really runs: the package behind a package runner, or nothing that can be named. */
import { posix } from 'node:path';

/** A package that a runner would fetch. `spec` is what stands behind the name: a version, a range, a tag or nothing. */
export interface Meant {
  readonly kind: 'npm' | 'pypi';
  readonly name: string;
  readonly spec: string;
  /** Words for the server itself. */
  readonly args: readonly string[];
}

/** A string says why nothing can be scanned. */
export type Understood = Meant | string;

interface Runner {
  readonly kind: Meant['kind'];
  /** Words behind the program that make it a runner, such as `dlx`. */
  readonly verb: readonly string[];
  /** Options that take no word. */
  readonly plain: readonly string[];
  /** Options whose word names the package; what stands behind is then the program in it. */
  readonly from: readonly string[];
  /** Options that take a word of no matter here. */
  readonly valued: readonly string[];
}

const NPX_PLAIN = ['-y', '--yes', '-q', '--quiet', '--silent', '--prefer-offline', '--prefer-online', '--'];
const npx = (verb: readonly string[]): Runner => ({
  ...{ kind: 'npm', verb, plain: NPX_PLAIN, from: ['-p', '--package'], valued: ['--loglevel', '--cache'] },
});
const UV_PLAIN = [
  '-q',
  '--quiet',
  '--isolated',
  '--no-cache',
  '--offline',
  '-n',
  '--no-progress',
  '--refresh',
];
const uvx = (verb: readonly string[]): Runner => ({
  ...{ kind: 'pypi', verb, plain: UV_PLAIN, from: ['--from'], valued: ['-p', '--python', '--cache-dir'] },
});

const RUNNERS: Readonly<Record<string, readonly Runner[]>> = {
  npx: [npx([])],
  npm: [npx(['exec']), npx(['x'])],
  pnpx: [npx([])],
  pnpm: [npx(['dlx'])],
  yarn: [npx(['dlx'])],
  bunx: [{ ...npx([]), plain: [...NPX_PLAIN, '--bun'] }],
  bun: [{ ...npx(['x']), plain: [...NPX_PLAIN, '--bun'] }],
  uvx: [uvx([])],
  uv: [uvx(['tool', 'run'])],
  pipx: [{ ...uvx(['run']), from: ['--spec'], valued: ['--python'] }],
};

/** Pure. Words that are not known are not guessed at: what they would change is not known either. */
export function understand(command: string, args: readonly string[]): Understood {
  const program = posix.basename(command.replaceAll('\\', '/')).replace(/\.(?:cmd|exe|ps1)$/i, '');
  if (/^cmd$/i.test(program) && /^\/c$/i.test(args[0] ?? '')) return understand(args[1] ?? '', args.slice(2));
  const runner = RUNNERS[program]?.find(({ verb }) => verb.every((word, at) => args[at] === word));
  if (runner) return packageIn(program, runner, args.slice(runner.verb.length));
  if (program === 'docker' || program === 'podman')
    return `an image that ${program} runs is scanned by its own source: lk scan ${imageIn(args) ?? 'oci:HOST/NAME:TAG'}`;
  if (/^(?:ba|z|da|fi)?sh$|^powershell$|^pwsh$|^cmd$/i.test(program))
    return `a shell, ${program}, may run anything`;
  return `${program} starts files of this machine, which are in no package`;
}

const RUN_PLAIN = ['-i', '-t', '-it', '-ti', '--interactive', '--tty', '--rm', '--init'];
const RUN_VALUED = [
  ...['-e', '--env', '--env-file', '-v', '--volume', '--mount', '--network', '--name', '-u', '--user'],
  ...['-w', '--workdir', '-p', '--publish', '-m', '--memory', '--cpus', '--platform', '--pull'],
];

/** The image behind `run`, as it is named here; null where an option that is not known may stand before it. */
function imageIn([verb, ...words]: readonly string[]): string | null {
  let at = 0;
  for (let word = words[at]; word?.startsWith('-'); word = words[at]) {
    if (RUN_VALUED.includes(word)) at += 2;
    else if (RUN_PLAIN.includes(word) || RUN_VALUED.includes(splitOnce(word, '=')[0])) at += 1;
    else return null;
  }
  const image = words[at] ?? '';
  if (verb !== 'run' || !/^[a-z0-9][a-z0-9._:/@-]*$/i.test(image)) return null;
  const [host = '', ...path] = image.split('/');
  const named =
    path.length > 0 && /[.:]|^localhost$/.test(host)
      ? image
      : `docker.io/${path.length > 0 ? '' : 'library/'}${image}`;
  return `oci:${named}${/[:@][^/]*$/.test(named) ? '' : ':latest'}`;
}

function packageIn(program: string, runner: Runner, words: readonly string[]): Understood {
  let named: string | null = null;
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? '';
    const [option = '', value] = word.startsWith('--') ? splitOnce(word, '=') : [word, undefined];
    if (!word.startsWith('-')) {
      const behind = words.slice(at + 1).filter((one, index) => !(index === 0 && one === '--'));
      return meantBy(runner.kind, named ?? word, behind);
    }
    if (runner.plain.includes(word)) continue;
    const valued = runner.from.includes(option) || runner.valued.includes(option);
    if (!valued) return `${program} ${option} may change what is run`;
    const given = value ?? words[++at] ?? '';
    if (!runner.from.includes(option)) continue;
    if (named !== null) return `${program} brings several packages together`;
    named = given;
  }
  return named === null ? `${program} names no package` : meantBy(runner.kind, named, []);
}

function splitOnce(word: string, by: string): [string, string | undefined] {
  const at = word.indexOf(by);
  return at < 0 ? [word, undefined] : [word.slice(0, at), word.slice(at + 1)];
}

const NPM = /^((?:@[a-z0-9._~-]+\/)?[a-z0-9._~-]+)(?:@([^@\s/:]*))?$/i;
const PYPI = /^([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)(?:\[[\w,.\s-]+\])?(?:(?:==|@)\s*([\w.!+-]+))?$/;

function meantBy(kind: Meant['kind'], word: string, args: readonly string[]): Understood {
  const [, name, spec = ''] = (kind === 'npm' ? NPM : PYPI).exec(word.trim()) ?? [];
  if (name === undefined) return `${word} is not a package of a package registry`;
  return { kind, name, spec: spec === 'latest' ? '' : spec, args };
}
