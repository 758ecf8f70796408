/** Credentials of scans: for servers that show their tools to nobody without, and for whoever verifies as such a server alone. */
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { Caller } from '../runtime/gate/caller.ts';
import { openUpstream } from '../runtime/identity/upstream.ts';
import type { Credentials } from '../runtime/remote/requests.ts';
import { readIfThere } from '../runtime/store/there.ts';
import { LockkeeperError } from '../schemas/errors.ts';
import { parseFile } from '../schemas/json.ts';
import type { RemoteLaunch } from '../schemas/remote.ts';
import { type ScanCredential, ScanCredentials } from '../schemas/scan-credentials.ts';
import { assertValid } from '../schemas/validate.ts';

/** What is shown to the server of this launch; undefined where nothing is configured for its address. */
export type ScanCredentialsFor = (launch: RemoteLaunch) => Promise<Credentials | undefined>;

/** By which what was signed in for scans is found, in the place of a registry. */
export const SCANS = 'scans';

interface Setting {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly now: () => Date;
}

const SCANNER: Caller = { user: 'scanner', teams: [], via: 'nobody', actors: [] };

/** Reads the file, and each secret once, so that what is wrong is known at the start. Throws CONFIG_INVALID and what `readSecret` throws. */
export async function openScanCredentials(path: string, setting: Setting): Promise<ScanCredentialsFor> {
  const bytes = await readIfThere(path);
  if (bytes === null)
    throw new LockkeeperError('CONFIG_INVALID', {
      expected: `credentials of scans in ${path}`,
      found: 'no such file',
      next: 'Write it, or unset LOCKKEEPER_SCAN_CREDENTIALS',
    });
  const { servers } = assertValid(ScanCredentials, parseFile(bytes, path), path, 'CONFIG_INVALID');
  const dir = dirname(resolve(path));
  const opened = new Map<string, Opened>();
  for (const [url, entry] of Object.entries(servers)) opened.set(url, await open(entry, dir, setting));
  return async (launch) => {
    const entry = opened.get(launch.url);
    if (!entry) return undefined;
    // Whoever publishes names the authority: theirs would vouch for anybody as this server.
    if (entry.ca !== launch.tls.ca)
      throw new LockkeeperError('TLS_UNTRUSTED', {
        expected: `${launch.url}, which the scanner has credentials for, to be published ${entry.ca === null ? 'without --ca' : 'with the --ca that its credentials name'}`,
        found: 'another authority',
        next: 'Publish it with that one, or ask whoever keeps the registry. Nothing was shown to it',
      });
    return entry.credentials(launch);
  };
}

interface Opened {
  readonly ca: string | null;
  readonly credentials: (launch: RemoteLaunch) => Promise<Credentials>;
}

async function open({ credential, ca }: ScanCredential, dir: string, setting: Setting): Promise<Opened> {
  const authorities = ca === undefined ? null : await readFile(resolve(dir, ca), 'utf8');
  if (credential.kind === 'sign-in') {
    const { openGrants } = await import('../runtime/consent/grants.ts');
    const { signedInCredentials } = await import('../runtime/consent/credentials.ts');
    const grants = openGrants(resolve(dir, credential.file));
    const { now } = setting;
    return {
      ca: authorities,
      credentials: async ({ url, reach, tls }) => {
        // As it was signed in for: a scan sees a server before anything is pinned.
        const launch = { url, reach, tls: { ca: tls.ca, leaf: null } };
        return signedInCredentials({ grants, registry: SCANS, launch, alias: url, now });
      },
    };
  }
  const upstream = await openUpstream(
    { server: credential },
    {
      ...setting,
      dir,
      aliases: ['server'],
      onTrouble: () => undefined,
    },
  );
  const headers = (): ReturnType<Credentials['headers']> => upstream.headersFor('server', SCANNER);
  return { ca: authorities, credentials: async () => ({ headers, forget: () => upstream.forget('server') }) };
}
