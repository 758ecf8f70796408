/**
 * A server that is an image: its own tree as the root, and nothing of this machine but what holds the server back until its
 * sandbox was looked at, and what carries it to the proxy. Those are a shell, prlimit and Node with the libraries they link,
 * started by their own loader: an image may hold none of them.
 */
import { execFile } from 'node:child_process';
import { readdirSync, readlinkSync } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { LockkeeperError } from '../../schemas/errors.ts';
import type { ImageLaunch } from '../../schemas/oci.ts';
import type { LaunchPlan, Mount } from '../ports.ts';

const run = promisify(execFile);

/** Folders that the sandbox has of its own: what an image has there is not shown. */
export const OWN: ReadonlySet<string> = new Set(['dev', 'proc', 'sys', 'tmp', 'run', 'lockkeeper']);
/** Where our programs are seen. */
export const GATE_DIR = '/lockkeeper/gate';
const PROGRAMS = { sh: '/bin/sh', prlimit: '/usr/bin/prlimit' } as const;
export const BRIDGE = fileURLToPath(new URL('../egress/bridge.cjs', import.meta.url));

/** Entries of an image's tree as they are shown. */
export function imageEntries(root: string): { shown: Mount[]; links: [string, string][] } {
  const shown: Mount[] = [];
  const links: [string, string][] = [];
  for (const entry of readdirSync(root, { withFileTypes: true })) {
    if (OWN.has(entry.name)) continue;
    const source = join(root, entry.name);
    if (entry.isSymbolicLink()) links.push([readlinkSync(source), `/${entry.name}`]);
    else shown.push({ source, target: `/${entry.name}`, mode: 'ro' });
  }
  return { shown, links };
}

/**
 * What bubblewrap is told of the root: each entry of the tree at its place, the sandbox's own folders, and the files of our
 * programs, by the paths that they have here.
 */
export async function imageRoot(root: string, programs: Programs): Promise<string[]> {
  const { shown, links } = imageEntries(root);
  return [
    ...shown.flatMap(({ source, target }) => ['--ro-bind', source, target]),
    ...links.flatMap(([target, at]) => ['--symlink', target, at]),
    ...(await filesOf({ ...PROGRAMS, ...programs })).flatMap(([source, name]) => [
      '--ro-bind',
      source,
      `${GATE_DIR}/${name}`,
    ]),
    ...['--proc', '/proc', '--dev', '/dev', '--remount-ro', '/dev', '--dir', '/run'],
  ];
}

/** Files of this machine under the names that they have in the gate. */
export interface Programs {
  readonly node?: string;
  readonly 'bridge.cjs'?: string;
}

/** What the way out of an image takes: `node` and `bridge` are readable by the server's user. */
export function bridgePrograms(node: string, bridge: string): Programs {
  return { node, 'bridge.cjs': bridge };
}

const known = new Map<string, Promise<[string, string][]>>();

/** Programs with all libraries that they link, and the names that all of them have in the gate; looked up once. */
export function filesOf(programs: Readonly<Record<string, string>>): Promise<[string, string][]> {
  const key = JSON.stringify(programs);
  const found = known.get(key) ?? findFiles(programs);
  known.set(key, found);
  return found;
}

async function findFiles(programs: Readonly<Record<string, string>>): Promise<[string, string][]> {
  const files = new Map<string, string>();
  for (const [name, path] of Object.entries(programs)) {
    const program = await realpath(path);
    files.set(name, program);
    if (name.endsWith('.cjs')) continue;
    const { stdout } = await run('ldd', [program]);
    for (const [, file = ''] of stdout.matchAll(/(\/[^\s)]+)\s+\(0x/g)) {
      const loader = /^ld-(?:linux|musl)/.test(basename(file));
      files.set(loader ? 'loader' : basename(file), await realpath(file));
    }
  }
  if (files.has('loader')) return [...files].map(([name, file]) => [file, name]);
  throw new LockkeeperError('ISOLATION_FAILED', {
    expected: `the loader that ${PROGRAMS.prlimit} names, to start it inside of an image`,
    found: 'none: it is linked statically',
    next: 'Use podman or docker here: lk run --isolation podman',
  });
}

/** The words that start one of our programs inside. */
export function gateWords(program: 'sh' | 'prlimit' | 'node'): string[] {
  return [`${GATE_DIR}/loader`, '--library-path', GATE_DIR, `${GATE_DIR}/${program}`];
}

/**
 * The server's command behind the bridge. Variables that would change the bridge itself are set for the server alone, and
 * so are the options of its Node.
 */
export function bridged(plan: LaunchPlan, variables: Readonly<Record<string, string>>): string[] {
  const set = { ...variables, NODE_OPTIONS: nodeOptions(plan.image) };
  const words = Object.entries(set).map(([name, value]) => `${name}=${value}`);
  return [...gateWords('node'), `${GATE_DIR}/bridge.cjs`, ...words, '--', ...plan.command];
}

/** Where an image that says nothing has its programs. */
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export function imagePath({ env }: ImageLaunch): string {
  return env.PATH ?? PATH;
}

/** Our way out for a server on Node, before what its image asks for. */
export function nodeOptions(image?: ImageLaunch): string {
  return ['--require /lockkeeper/preload.cjs', image?.env.NODE_OPTIONS].filter(Boolean).join(' ');
}

/** Variables of the image that nothing of the sandbox stands above: the gate sets them for the server alone. */
export function imageVariables(
  plan: LaunchPlan,
  above: Readonly<Record<string, string>>,
): Record<string, string> {
  const own = Object.entries(plan.image?.env ?? {}).filter(([name]) => !Object.hasOwn(above, name));
  return Object.fromEntries(own);
}
