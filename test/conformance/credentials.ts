/** The gateway's own OAuth client before a server of the suite that takes client credentials alone. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openUpstream } from '../../runtime/identity/upstream.ts';
import type { Credentials } from '../../runtime/remote/requests.ts';
import type { Context } from './play.ts';

/** Named as a configuration of `lk gateway` names them; where they are is looked up as whoever writes it would. */
export async function credentialsFor(alias: string, url: string, context: Context): Promise<Credentials> {
  const { client_id: clientId = '', client_secret: secret, private_key_pem: key = '' } = context;
  const { valid_jwt: assertion } = context;
  const dir = mkdtempSync(join(tmpdir(), 'lk-credentials-'));
  writeFileSync(join(dir, 'secret'), assertion ?? secret ?? key, { mode: 0o600 });
  const { resource, issuer, tokenUrl } = await places(url);
  const auth = secret
    ? { method: 'basic', secret: 'file:secret' }
    : {
        method: 'private_key_jwt',
        key: 'file:secret',
        algorithm: context.signing_algorithm,
        audience: issuer,
      };
  const upstream = await openUpstream(
    {
      [alias]: assertion
        ? {
            kind: 'jwt-bearer',
            auth: { method: 'none' },
            assertion: 'file:secret',
            tokenUrl,
            clientId,
            resource,
          }
        : { kind: 'client-credentials', tokenUrl, clientId, auth, resource },
    },
    {
      dir,
      environment: {},
      now: () => new Date(),
      aliases: [alias],
      onTrouble: (error) => void process.stderr.write(`${error.message}\n`),
    },
  );
  const caller = { user: 'erin', teams: [], via: 'token', actors: [] } as const;
  return { headers: () => upstream.headersFor(alias, caller), forget: () => upstream.forget(alias) };
}

interface Places {
  readonly resource: string;
  readonly issuer: string;
  readonly tokenUrl: string;
}

async function places(url: string): Promise<Places> {
  const { origin, pathname } = new URL(url);
  const resource = await json(`${origin}/.well-known/oauth-protected-resource${pathname}`);
  const [server] = resource.authorization_servers as string[];
  const at = new URL(server ?? '');
  const metadata = await json(
    `${at.origin}/.well-known/oauth-authorization-server${at.pathname.replace(/\/$/, '')}`,
  );
  return {
    resource: String(resource.resource),
    issuer: String(metadata.issuer),
    tokenUrl: String(metadata.token_endpoint),
  };
}

async function json(url: string): Promise<Record<string, unknown>> {
  const response = await fetch(url);
  if (response.status !== 200) throw new Error(`${url} answered ${response.status}`);
  return (await response.json()) as Record<string, unknown>;
}
