/** Every way to the server that is held against the direct one, in the order it is printed. */
import type { RunningServer } from '../../runtime/ports.ts';
import { openRemote } from '../../runtime/remote/open.ts';
import type { Surface } from '../../schemas/surface.ts';
import { type RunningGateway, startGateway } from '../helpers/gateway.ts';
import { captureOf, plainProcess } from '../helpers/session.ts';
import type { Way } from './command.ts';
import { FIXTURE, type Hop, openPassthrough } from './hops.ts';
import { openFront } from './remote-hop.ts';
import { renamed } from './renamed.ts';

export const ways: readonly Way[] = [
  { name: 'passthrough', open: (direct) => openPassthrough(direct) },
  { name: 'gateway to stdio', open: async () => hopOf(await stdioGateway()) },
  { name: 'gateway to http', open: openRemoteGateway },
  { name: 'gateway to all', open: openAll },
];

/** How long a server of an SDK may take to start on a busy machine, ms. */
const START_MS = 30_000;

/** HTTP to the gateway, stdio to the server behind it. */
export function stdioGateway(): Promise<RunningGateway> {
  return gatewayTo(() => plainProcess([FIXTURE, 'stdio']));
}

/** A gateway before a locked server of both eras, as a scan would find it. */
async function gatewayTo(
  start: (tools: Surface['tools']) => Promise<RunningServer>,
): Promise<RunningGateway> {
  const shown = await captureOf(await start({}), START_MS);
  const surface: Surface = { ...shown, capture: { ...shown.capture, eras: ['session', 'stateless'] } };
  return startGateway({
    servers: { conformance: '' },
    handshakeMs: START_MS,
    policy: 'everyone: everything locked\n',
    surface: () => surface,
    start: () => start(surface.tools),
  });
}

/** HTTP to the gateway, HTTP to the server behind it, which answers with TLS to a name, as remote servers have to. */
async function openRemoteGateway(direct: string): Promise<Hop> {
  const { launch, close } = await openFront(direct);
  const record = async (): Promise<void> => undefined;
  const hop = hopOf(await gatewayTo((tools) => openRemote({ launch, record, tools })));
  return {
    url: hop.url,
    close: async () => {
      await hop.close();
      await close();
    },
  };
}

/** The address of all servers, with the only one of them under the names that the suite knows. */
async function openAll(): Promise<Hop> {
  const gateway = await stdioGateway();
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
