/** The gateway before whatever the suite puts up as a server: locked as it shows itself now, reached over TLS. */
import { X509Certificate } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RunningServer } from '../../runtime/ports.ts';
import { openRemote, type RemoteOptions } from '../../runtime/remote/open.ts';
import { spkiOf } from '../../runtime/remote/tls.ts';
import { CLIENT_CAPABILITIES, captureSurface, SESSION_VERSION } from '../../runtime/session/capture.ts';
import { openPeer } from '../../runtime/session/peer.ts';
import type { RemoteLaunch } from '../../schemas/remote.ts';
import type { Era, Surface } from '../../schemas/surface.ts';
import { type Certified, certify, makeAuthority } from '../helpers/certificates.ts';
import { startGateway } from '../helpers/gateway.ts';
import { type Hop, openPassthrough } from './hops.ts';
import { openMirror } from './mirror.ts';
import type { Attended } from './person.ts';
import type { Revision } from './suite.ts';

const ANSWER_MS = 5000;

export interface Front {
  readonly launch: RemoteLaunch;
  close(): Promise<void>;
}

const passing = (direct: string, tls: Certified): Promise<Hop> => openPassthrough(direct, { tls });

/** What answers with TLS to a name before a server that has none, as remote servers have to; and who it is. */
export async function openFront(direct: string, open = passing): Promise<Front> {
  const authority = makeAuthority(mkdtempSync(join(tmpdir(), 'lk-ca-')), 'authority');
  const tls = certify(authority, { name: 'localhost', san: 'DNS:localhost', usage: 'serverAuth' });
  const front = await open(direct, tls);
  const launch: RemoteLaunch = {
    transport: 'streamable-http',
    url: front.url,
    reach: 'private',
    tls: { leaf: [spkiOf(new X509Certificate(tls.cert))], issuer: [], ca: authority.cert },
  };
  return { launch, close: () => front.close() };
}

/** `credentials` are shown to the server in place of the caller's. */
export async function openRemoteGateway(
  direct: string,
  revision: Revision,
  credentials?: RemoteOptions['credentials'],
): Promise<Hop> {
  return gatewayBefore(await openFront(direct), revision, { credentials });
}

/** The same before a server that wants a person, whose sign-in the gateway shows. */
export async function openPersonalGateway(
  direct: string,
  revision: Revision,
  person: (launch: RemoteLaunch) => Attended,
): Promise<Hop & Pick<Attended, 'again'>> {
  const front = await openFront(direct, openMirror);
  const attended = person(front.launch);
  return { ...(await gatewayBefore(front, revision, attended)), again: attended.again };
}

interface Shows {
  readonly credentials: RemoteOptions['credentials'] | undefined;
  readonly again?: Attended['again'];
}

async function gatewayBefore(
  { launch, close }: Front,
  revision: Revision,
  { credentials, again = once() }: Shows,
): Promise<Hop> {
  const open = (tools: Surface['tools']): Promise<RunningServer> =>
    openRemote({ launch, record: async () => undefined, tools, ...(credentials ? { credentials } : {}) });
  const captured = await look(open, revision === '2026-07-28' ? 'stateless' : 'session', again);
  const gateway = await startGateway({
    servers: { suite: '' },
    captured,
    handshakeMs: ANSWER_MS,
    policy: 'everyone: everything locked\n',
    start: () => open(captured.tools),
  });
  return {
    url: `${gateway.url}/servers/suite/mcp`,
    close: async () => {
      await gateway.close();
      await close();
    },
  };
}

type Open = (tools: Surface['tools']) => Promise<RunningServer>;

/** As a scan looks at it; again where it is turned away and that is worth it. */
async function look(open: Open, era: Era, again: Attended['again']): Promise<Surface> {
  for (;;)
    try {
      return await lookOnce(await open({}), era);
    } catch (error) {
      if (!(await again())) throw error;
    }
}

/** One scenario turns away the first question of all. */
function once(): Attended['again'] {
  let count = 0;
  return async () => count++ === 0;
}

async function lookOnce(server: RunningServer, era: Era): Promise<Surface> {
  const nothing = (): void => undefined;
  const peer = openPeer(server, { message: nothing, badLine: nothing, gone: nothing });
  try {
    const options = { protocolVersion: SESSION_VERSION, clientCapabilities: CLIENT_CAPABILITIES };
    return (await captureSurface(peer, { era, ...options, timeoutMs: ANSWER_MS })).surface;
  } finally {
    await server.stop(500);
  }
}
