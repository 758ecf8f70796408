/** How a bundle is started: its own file by our Node or the machine's Python, as its manifest says, and nothing beside it. */
import { posix } from 'node:path';
import semver from 'semver';
import { type MachinePython, minorOf } from '../../runtime/python/machine.ts';
import type { UnpackedFile } from '../../runtime/store/unpack.ts';
import { quote } from '../../schemas/errors.ts';
import type { PythonTarget } from '../../schemas/pypi.ts';
import { LocalLaunch, type Submission } from '../../schemas/release.ts';
import { assertValid } from '../../schemas/validate.ts';
import { incomplete } from '../tree.ts';
import { isNative } from './folders.ts';
import type { Manifest } from './manifest.ts';
import { askedIn, filledIn, INSIDE, type Settings, settingsOf } from './settings.ts';

export interface Bundle {
  readonly manifest: Manifest;
  readonly kind: 'node' | 'python';
  readonly files: readonly UnpackedFile[];
  readonly label: string;
}

/** Programs that a manifest may name: what is run in their place is ours. */
const PROGRAMS: Readonly<Record<Bundle['kind'], RegExp>> = {
  node: /^node(?:\.exe)?$/,
  python: /^python(?:3(?:\.\d+)?)?(?:\.exe)?$/,
};
/** Code that stands in the arguments is in no file that was scanned. */
const CODE: Readonly<Record<Bundle['kind'], RegExp>> = {
  node: /^(?:-e|-p|-pe|--eval|--print|-)(?:=|$)|^--[a-z-]+=data:/,
  python: /^-(?:c|$)/,
};
/** They choose what a program loads before its first line; those of the sandbox itself stand above a bundle's. */
const LOADING = /^(?:NODE_OPTIONS|LD_.*)$/;
const OURS: ReadonlySet<string> = new Set(['PATH', 'HOME', 'TMPDIR', 'LANG', 'PYTHONPATH']);

/** Throws CLOSURE_INCOMPLETE, with what to say at the publication where something is missing. */
export function bundleLaunch(
  bundle: Bundle,
  submission: Pick<Submission, 'args' | 'projectArgs' | 'config' | 'permissions'>,
  python: MachinePython | null,
): LocalLaunch {
  const { manifest, kind, label } = bundle;
  const { command, args, env } = configOf(bundle);
  const program = posix.basename(command.replaceAll('\\', '/'));
  if (!PROGRAMS[kind].test(program) || command.includes('${'))
    throw incomplete(`${label} to be started by ${kind}, as its type says`, quote(command, 100));
  assertVersion(bundle, python);
  const settings = settingsOf(manifest, submission.config ?? {}, label);
  const words = args.flatMap((word) => filledIn(placed(word, bundle), settings));
  const own = [...startedBy(bundle, words, env, settings), ...submission.args];
  const variables = variablesOf(env, submission.permissions.env, settings);
  const launch: LocalLaunch = {
    transport: 'stdio',
    command: [kind, ...own],
    projectArgs: submission.projectArgs,
    ...(Object.keys(variables).length > 0 ? { env: variables } : {}),
    ...(python === null ? {} : { python: targetOf(python, bundle) }),
  };
  return assertValid(LocalLaunch, launch, `how ${label} is started`, 'CLOSURE_INCOMPLETE');
}

interface Config {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** As on Linux. Without a configuration the entry point is what is started. */
function configOf({ manifest, kind, label }: Bundle): Config {
  const { mcp_config: config, entry_point: entry } = manifest.server;
  if (config === undefined) return { command: kind, args: [`\${__dirname}/${entry}`], env: {} };
  const overrides = config.platform_overrides ?? {};
  const linux = Object.hasOwn(overrides, 'linux') ? overrides.linux : undefined;
  const args = linux?.args ?? config.args;
  if (args === undefined || args.length === 0)
    throw incomplete(`arguments that name a file of ${label}`, 'none');
  return {
    command: linux?.command ?? config.command,
    args,
    env: { ...config.env, ...linux?.env },
  };
}

/** A path that begins nowhere begins in the bundle, as hosts read it. */
function placed(word: string, { files, manifest }: Bundle): string {
  const path = posix.normalize(word);
  const inside =
    path === posix.normalize(manifest.server.entry_point) || files.some((file) => file.path === path);
  return inside ? `\${__dirname}/${path}` : word;
}

/** The words behind the interpreter, whose first file has to be one of the bundle. */
function startedBy(
  bundle: Bundle,
  words: readonly string[],
  env: Config['env'],
  settings: Settings,
): string[] {
  const { kind, label } = bundle;
  const at = words.findIndex((word) => !word.startsWith('-'));
  const flags = words.slice(0, Math.max(at, 0));
  const code = (at < 0 ? words : flags).find((word) => CODE[kind].test(word));
  if (code !== undefined)
    throw incomplete(`${label} to be started from a file of it`, `code behind ${quote(code, 20)}`);
  const folders = kind === 'python' ? foldersOf(env.PYTHONPATH, bundle, settings) : [];
  if (kind === 'python' && flags.at(-1) === '-m') return moduleWords(bundle, words, folders);
  const file = words[at];
  if (file === undefined || !isFile(file, bundle))
    throw incomplete(`a file of ${label} to be started`, file === undefined ? 'none' : quote(file, 200));
  if (kind === 'node') return [...words];
  // What Python is told before a file is how it starts; here it starts in one way.
  return [...folders.map((one) => `--path=${one}`), ...words.slice(at)];
}

function moduleWords({ label }: Bundle, words: readonly string[], folders: readonly string[]): string[] {
  const at = words.indexOf('-m');
  const name = words[at + 1] ?? '';
  if (!/^[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*$/.test(name))
    throw incomplete(`a module of ${label} behind -m`, quote(name, 100));
  return [...[...folders, INSIDE].map((one) => `--path=${one}`), ...words.slice(at)];
}

function isFile(word: string, { files, kind }: Bundle): boolean {
  if (!word.startsWith(`${INSIDE}/`)) return false;
  const path = posix.normalize(word.slice(INSIDE.length + 1));
  const also = kind === 'node' ? [`${path}.js`, `${path}/index.js`] : [];
  return [path, ...also].some((one) => files.some((file) => file.path === one));
}

function foldersOf(text: string | undefined, { label }: Bundle, settings: Settings): string[] {
  if (text === undefined) return [];
  const all = filledIn(text, settings).flatMap((one) => one.split(':'));
  const folders = all.filter((one) => one !== '').map((one) => posix.resolve(INSIDE, one));
  const outside = folders.find((one) => one !== INSIDE && !one.startsWith(`${INSIDE}/`));
  if (outside === undefined) return folders;
  throw incomplete(`folders of ${label} in its PYTHONPATH`, quote(outside, 200));
}

/** Without those that a project may set: their values are its own. */
function variablesOf(
  env: Config['env'],
  permitted: readonly string[],
  settings: Settings,
): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const [name, text] of Object.entries(env)) {
    if (OURS.has(name) || permitted.includes(name)) continue;
    if (LOADING.test(name) || !/^[A-Za-z_]\w{0,127}$/.test(name))
      throw incomplete(`${settings.label} without variables that choose what is loaded`, quote(name, 60));
    const open = askedIn(text).filter((key) => settings.isOpen(key));
    if (open.length > 0 && open.every((key) => isSpare(key, name, settings))) continue;
    variables[name] = filledIn(text, settings).join(',');
  }
  return variables;
}

/** May it be left out? Where it may not, the sentence says how a project gives it. */
function isSpare(key: string, name: string, settings: Settings): boolean {
  try {
    return settings.values(key).length === 0;
  } catch (cause) {
    throw incomplete(
      `${name} of ${settings.label} from the project (--env ${name}) or from here (--config ${key}=VALUE)`,
      'neither',
      cause,
    );
  }
}

function assertVersion({ manifest, kind, label }: Bundle, python: MachinePython | null): void {
  const wanted = manifest.compatibility?.runtimes?.[kind];
  if (wanted === undefined) return;
  const range = semver.validRange(wanted.replaceAll(',', ' '));
  const here = kind === 'node' ? process.versions.node : (python?.version ?? 'none');
  if (range !== null && semver.satisfies(here, range, { includePrerelease: true })) return;
  throw incomplete(`${label} for ${kind} ${here}, which servers run on here`, `one for ${quote(wanted, 60)}`);
}

/** Native modules were built for one C library; which one, nobody says. */
function targetOf({ version, abi, libc }: MachinePython, { files }: Bundle): PythonTarget {
  return { version: minorOf(version), abi, libc: files.some(isNative) ? libc : null };
}
