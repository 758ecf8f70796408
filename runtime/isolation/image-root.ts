/**
 * A server that is an image, under bubblewrap: its own tree as the root, and nothing of this machine but what holds the
 * server back until its sandbox was looked at. That is a shell and prlimit with the libraries they link, started by their
 * own loader: an image may hold neither.
 */
import { execFile } from 'node:child_process';
import { readdirSync, readlinkSync } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { basename, join } from 'node:path';
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

/** What bubblewrap is told of the root: each entry of the tree at its place, and the sandbox's own folders. */
export async function imageRoot(root: string): Promise<string[]> {
  const { shown, links } = imageEntries(root);
  return [
    ...shown.flatMap(({ source, target }) => ['--ro-bind', source, target]),
    ...links.flatMap(([target, at]) => ['--symlink', target, at]),
    ...(await gateFiles()).flatMap(([source, name]) => ['--ro-bind', source, `${GATE_DIR}/${name}`]),
    ...['--proc', '/proc', '--dev', '/dev', '--remount-ro', '/dev', '--dir', '/run'],
  ];
}

let known: Promise<[string, string][]> | undefined;

/** Files of this machine that the gate is made of, and their names there. */
function gateFiles(): Promise<[string, string][]> {
  known ??= findGate();
  return known;
}

async function findGate(): Promise<[string, string][]> {
  const files = new Map<string, string>();
  for (const [name, path] of Object.entries(PROGRAMS)) {
    const program = await realpath(path);
    files.set(name, program);
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
export function gateWords(program: keyof typeof PROGRAMS): string[] {
  return [`${GATE_DIR}/loader`, '--library-path', GATE_DIR, `${GATE_DIR}/${program}`];
}

/** Where an image that says nothing has its programs. */
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export function imagePath({ env }: ImageLaunch): string {
  return env.PATH ?? PATH;
}

/** Our way out for a server on Node, before what its image asks for. */
export function nodeOptions(image: ImageLaunch | undefined): string {
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
