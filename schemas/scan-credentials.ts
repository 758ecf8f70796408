/** What a scanner shows to remote servers that show their tools to nobody else, by their addresses. */
import { Closed } from './common.ts';
import { RemoteUrl } from './remote.ts';
import { type Static, Type } from './type.ts';
import { ClientCredentials, JwtBearer, StaticHeader } from './upstream.ts';

const Path = Type.String({ minLength: 1, maxLength: 1024, description: 'a path, relative to this file' });

/** What somebody signed in for with `lk login --server URL`: the file server-sign-ins.json of their folder. */
const SignInFile = Closed({ kind: Type.Literal('sign-in'), file: Path });

export const ScanCredential = Closed({
  credential: Type.Union([StaticHeader, ClientCredentials, JwtBearer, SignInFile]),
  /** File with the only authorities that may vouch for the server; the public ones, where nothing is said. */
  ca: Type.Optional(Path),
});
export type ScanCredential = Static<typeof ScanCredential>;

export const ScanCredentials = Closed({
  lockkeeper: Type.Literal('scan-credentials/v1'),
  servers: Type.Record(RemoteUrl, ScanCredential, { additionalProperties: false, maxProperties: 1000 }),
});
export type ScanCredentials = Static<typeof ScanCredentials>;
