/** Which paths of this machine may be shown to a server. Judged after realpath, so that a link cannot lead elsewhere. */
import { realpath, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { isAbsolute, join, relative, resolve } from 'node:path';
import { LockkeeperError, quote } from '../../schemas/errors.ts';

/** Folders that hold the machine itself, or everybody's secrets. Nothing of them, and none of them whole. */
const SYSTEM = [
  '/bin',
  '/boot',
  '/dev',
  '/etc',
  '/lib',
  '/lib64',
  '/proc',
  '/run',
  '/sbin',
  '/sys',
  '/usr',
  '/var/run',
  '/var/lib/containerd',
  '/var/lib/containers',
  '/var/lib/docker',
  '/var/lib/kubelet',
  '/var/lib/lockkeeper',
  '/var/spool/cron',
];
const WHOLE = ['/', '/home', '/root', '/var', '/var/lib', '/opt', '/srv', '/mnt', '/media', '/tmp', '/Users'];
const SECRET_PARTS = new Set([
  '.ssh',
  '.gnupg',
  '.aws',
  '.kube',
  '.docker',
  '.lockkeeper',
  '.config',
  '.netrc',
  '.npmrc',
  '.git-credentials',
  '.pgpass',
  '.bash_history',
]);

/** A name with a dot in a home folder. */
const DOT = /^\/(?:root|(?:home|Users)\/[^/]+)\/\.(?!\.(?:\/|$))/;

/** What of a project decides what runs: whoever writes it chooses the next server, or code on this machine. */
const OWN_FILES = ['lockkeeper.json', 'mcp.lock', '.git'];

export interface MountContext {
  readonly projectDir: string;
  /** Folders that hold a person's keys and everything else of theirs; none of them may be within a mount. */
  readonly homes: readonly string[];
  readonly mode: 'ro' | 'rw';
}

/**
 * The real path of a mount source. Throws MOUNT_REFUSED for what is missing, for system folders, home folders as a
 * whole, folders of credentials, sockets and devices.
 */
export async function checkMount(source: string, { projectDir, homes, mode }: MountContext): Promise<string> {
  const refuse = (found: string, next = 'Mount a folder of the project'): LockkeeperError =>
    new LockkeeperError('MOUNT_REFUSED', {
      expected: 'a folder or file that a server may see',
      found: `${quote(source)}: ${found}`,
      next,
    });
  const real = await realpath(source).catch(() => {
    throw refuse('it does not exist', 'Make it, or correct the mount in lockkeeper.json');
  });
  const under = SYSTEM.find((folder) => isWithin(real, folder));
  if (under !== undefined) throw refuse(`it leads to ${quote(real)}, a part of ${under}`);
  if (WHOLE.includes(real)) throw refuse(`it is ${quote(real)} as a whole`);
  if (/^\/(home|Users)\/[^/]+$/.test(real)) throw refuse(`it is the home folder ${quote(real)} as a whole`);
  const project = await realpath(projectDir);
  const outside = !isWithin(real, project);
  const secret = (outside ? real : relative(project, real)).split('/').find((part) => SECRET_PARTS.has(part));
  if (secret !== undefined) throw refuse(`it leads into ${secret}, where credentials live`);
  const person = await realpath(homedir()).catch(homedir);
  for (const home of homes) {
    const own = await realpath(home).catch(() => home);
    if (isWithin(own, real)) throw refuse(`it holds ${quote(own)}, which is not for servers`);
    // Keys, sign-ins and journals lie there, whatever it is called.
    if (own !== person && isWithin(real, own))
      throw refuse(`it is in ${quote(own)}, which is not for servers`);
  }
  if (outside && (DOT.test(real) || DOT.test(`/home/me/${relative(person, real)}`)))
    throw refuse(
      `it leads to ${quote(real)}, settings of a person: what shells run, and what programs log in with`,
    );
  if (outside && isWithin(resolve(source), resolve(projectDir)))
    throw refuse(`a link in the project leads out of it, to ${quote(real)}`, 'Name the folder itself');
  const kept = OWN_FILES.map((name) => join(project, name)).find(
    (file) => isWithin(file, real) || isWithin(real, file),
  );
  if (mode === 'rw' && kept !== undefined)
    throw refuse(
      `a server that writes there could write ${quote(kept)}`,
      'Mount a folder of the project that holds data alone, or read-only',
    );
  const facts = await stat(real);
  if (!facts.isDirectory() && !facts.isFile()) throw refuse('it is a socket, pipe or device');
  return real;
}

function isWithin(path: string, folder: string): boolean {
  const rest = relative(folder, path);
  return rest === '' || (!rest.startsWith('..') && !isAbsolute(rest));
}
