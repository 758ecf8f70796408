/** Which paths of this machine may be shown to a server. Judged after realpath, so that a link cannot lead elsewhere. */
import { realpath, stat } from 'node:fs/promises';
import { isAbsolute, relative } from 'node:path';
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
  '/var/lib/docker',
  '/var/lib/lockkeeper',
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
]);

/**
 * The real path of a mount source. Throws MOUNT_REFUSED for what is missing, for system folders, home folders as a
 * whole, folders of credentials, sockets and devices.
 */
export async function checkMount(source: string, projectDir: string): Promise<string> {
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
  const facts = await stat(real);
  if (!facts.isDirectory() && !facts.isFile()) throw refuse('it is a socket, pipe or device');
  return real;
}

function isWithin(path: string, folder: string): boolean {
  const rest = relative(folder, path);
  return rest === '' || (!rest.startsWith('..') && !isAbsolute(rest));
}
