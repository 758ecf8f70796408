/** Every way to the server that is held against the direct one, in the order it is printed. */
import type { RunningServer } from '../../runtime/ports.ts';
import { openRemote } from '../../runtime/remote/open.ts';
import type { Era, Surface } from '../../schemas/surface.ts';
import { type RunningGateway, startGateway } from '../helpers/gateway.ts';
import { captureOf, plainProcess } from '../helpers/session.ts';
import type { Way } from './command.ts';
import { FIXTURE, type Hop, openPassthrough } from './hops.ts';
import { openFront } from './remote-hop.ts';
import { renamed } from './renamed.ts';

export const ways: readonly Way[] = [
  { name: 'passthrough', open: (direct) => openPassthrough(direct) },
  { name: 'gateway to stdio', open: async () => hopOf(await stdioGateway()) },
  { name: 'gateway to http', open: (direct) => openRemoteGateway(direct) },
  { name: 'gateway to all', open: async () => openAll(await stdioGateway()) },
  // The client speaks the one era, and the lock knows the server by the other alone: the bridge stands between.
  {
    name: 'gateway across to sessions',
    revisions: ['2026-07-28'],
    open: async () => hopOf(await stdioGateway('session')),
  },
  {
    name: 'gateway across to stateless',
    revisions: ['2025-11-25'],
    open: async () => hopOf(await stdioGateway('stateless')),
  },
];

/** How long a server of an SDK may take to start on a busy machine, ms. */
const START_MS = 30_000;

/** HTTP to the gateway, stdio to the server behind it; `only` is the one era that it speaks. */
export function stdioGateway(only?: Era, file = FIXTURE): Promise<RunningGateway> {
  return gatewayTo(() => plainProcess([file, 'stdio', ...(only ? [only] : [])]), only);
}

/** A gateway before a locked server of both eras, or of one alone, as a scan would find it. */
async function gatewayTo(
  start: (tools: Surface['tools']) => Promise<RunningServer>,
  only?: Era,
): Promise<RunningGateway> {
  const shown = await captureOf(await start({}), START_MS, only);
  const eras: Era[] = only ? [only] : ['session', 'stateless'];
  const surface: Surface = { ...shown, capture: { ...shown.capture, eras } };
  return startGateway({
    servers: { conformance: '' },
    handshakeMs: START_MS,
    policy: 'everyone: everything locked\n',
    surface: () => surface,
    start: () => start(surface.tools),
  });
}

/** HTTP to the gateway, HTTP to the server behind it, which answers with TLS to a name, as remote servers have to. */
export async function openRemoteGateway(direct: string, only?: Era): Promise<Hop> {
  const { launch, close } = await openFront(direct);
  const record = async (): Promise<void> => undefined;
  const hop = hopOf(await gatewayTo((tools) => openRemote({ launch, record, tools }), only));
  return {
    url: hop.url,
    close: async () => {
      await hop.close();
      await close();
    },
  };
}

/** The address of all servers, with the only one of them under the names that the suite knows. */
export async function openAll(gateway: RunningGateway): Promise<Hop> {
  const hop = await openPassthrough(`${gateway.url}/mcp`, { loss: renamed('conformance') });
  return {
    url: hop.url,
    close: async () => {
      await hop.close();
      await gateway.close();
    },
  };
}

function hopOf(gateway: RunningGateway): Hop {
  return { url: `${gateway.url}/servers/conformance/mcp`, close: () => gateway.close() };
}
