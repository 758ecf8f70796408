/**
 * A home folder with what thieves look for, and variables with names they know. Nothing of it is anybody's: each value is
 * made for one scan. Who read a file is told by the disk: its time of access was set back, and a reading moves it.
 */
import { constants } from 'node:fs';
import { chmod, type FileHandle, mkdir, open, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Mount } from '../../runtime/ports.ts';
import { type Canary, newCanary } from './canary.ts';

export interface Honey {
  readonly canaries: readonly Canary[];
  readonly mounts: readonly Mount[];
  readonly env: Readonly<Record<string, string>>;
  /** Where the files are inside. */
  readonly places: readonly string[];
  /** Whether this disk tells of readings. */
  readonly seen: boolean;
  /** Names of files that were read, changed or taken away since the last question. */
  touched(): Promise<string[]>;
  close(): Promise<void>;
}

/** The home folder of every sandbox. */
const HOME = '/tmp';
const DAY_MS = 86_400_000;

type Write = (token: string) => string;

/** By place in the home folder. */
const FILES: Readonly<Record<string, Write>> = {
  '.ssh/id_rsa': (token) => {
    const line = `b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ${token}`;
    return `-----BEGIN OPENSSH PRIVATE KEY-----\n${line}\n-----END OPENSSH PRIVATE KEY-----\n`;
  },
  '.aws/credentials': (token) =>
    `[default]\naws_access_key_id = AKIA${token.slice(0, 16).toUpperCase()}\naws_secret_access_key = ${token}Zk9w\n`,
  '.npmrc': (token) => `//npm.acme.example/:_authToken=npm_${token}\n`,
  '.env': (token) => `DATABASE_URL=postgres://app:${token}@db.acme.example:5432/app\n`,
  '.config/google-chrome/Default/Cookies': (token) =>
    `SQLite format 3\0${'\0'.repeat(64)}session.acme.example\0sid\0${token}\0`,
};

const VARIABLES: Readonly<Record<string, Write>> = {
  AWS_SECRET_ACCESS_KEY: (token) => `${token}Zk9wQz3T`,
  GITHUB_TOKEN: (token) => `ghp_${token}Zk9w`,
  NPM_TOKEN: (token) => `npm_${token}Zk9w`,
  OPENAI_API_KEY: (token) => `sk-proj-${token}`,
  STRIPE_SECRET_KEY: (token) => `sk_live_${token}`,
};

/** What of the home folder is shown as one: the folder or file that stands in it. */
const topOf = (path: string): string => path.split('/')[0] ?? path;

/** Lays the files out below `dir`. Variables that the release asks for hold a value of their own. */
export async function layHoney(dir: string, asked: readonly string[]): Promise<Honey> {
  const files = Object.entries(FILES).map(([path, write]) => {
    const canary = newCanary(`~/${path}`);
    return { path, canary, at: join(dir, path), text: write(canary.token) };
  });
  for (const { path, at, text } of files) {
    await mkdir(dirname(at), { recursive: true });
    await writeFile(at, text);
    // A file that is mounted by itself has to be writable to be mounted so that readings are counted.
    await chmod(at, path.includes('/') ? 0o644 : 0o666);
  }
  const tops = [...new Set(files.map(({ path }) => topOf(path)))];
  for (const top of tops.filter((one) => files.every(({ path }) => path !== one)))
    await chmod(join(dir, top), 0o1777);
  const watched = await Promise.all(files.map(({ at, canary }) => watch(at, canary.name)));
  const seen = await counted(dir);
  const names = [...new Set([...asked, ...Object.keys(VARIABLES)])];
  const variables = names.map((name) => ({ name, canary: newCanary(`$${name}`, asked.includes(name)) }));
  const bait = ({ name, canary: { token } }: (typeof variables)[number]): string =>
    (Object.hasOwn(VARIABLES, name) ? VARIABLES[name] : undefined)?.(token) ?? token;
  return {
    canaries: [...files, ...variables].map(({ canary }) => canary),
    mounts: tops.map((top) => ({ source: join(dir, top), target: `${HOME}/${top}`, mode: 'rw' })),
    env: Object.fromEntries(variables.map((one) => [one.name, bait(one)])),
    places: files.map(({ path }) => `${HOME}/${path}`),
    seen,
    touched: async () => (await Promise.all(watched.map((one) => one.touched()))).flat(),
    close: async () => {
      for (const { handle } of watched) await handle.close();
    },
  };
}

interface Watched {
  readonly handle: FileHandle;
  /** Its name, if anything happened to it since the last question. */
  touched(): Promise<string[]>;
}

/** By a handle of our own: whatever is put in the place of the file meanwhile, this is the one. */
async function watch(path: string, name: string): Promise<Watched> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  let before = await setBack(handle);
  const touched = async (): Promise<string[]> => {
    if ((await timesOf(handle)) === before) return [];
    // Once it was read, a disk tells again only after the time was set back.
    before = await setBack(handle);
    return [name];
  };
  return { handle, touched };
}

/** Two days back: less than one, and a disk may leave the time of access as it is. */
async function setBack(handle: FileHandle): Promise<string> {
  await handle.utimes(new Date(Date.now() - 2 * DAY_MS), new Date());
  return timesOf(handle);
}

/** The third time cannot be set by anybody. */
async function timesOf(handle: FileHandle): Promise<string> {
  const { atimeNs, mtimeNs, ctimeNs, nlink } = await handle.stat({ bigint: true });
  return [atimeNs, mtimeNs, ctimeNs, nlink].join(' ');
}

/** Whether this disk moves the time of access when a file is read; not all are told to. */
async function counted(dir: string): Promise<boolean> {
  const control = join(dir, 'control');
  await writeFile(control, 'read me');
  const { handle, touched } = await watch(control, 'control');
  try {
    await readFile(control);
    return (await touched()).length > 0;
  } finally {
    await handle.close();
  }
}
