/** Every way to the server that is held against the direct one, in the order it is printed. */
import type { Surface } from '../../schemas/surface.ts';
import { type RunningGateway, startGateway } from '../helpers/gateway.ts';
import { capture, plainProcess } from '../helpers/session.ts';
import type { Way } from './command.ts';
import { FIXTURE, type Hop, openPassthrough } from './hops.ts';

export const ways: readonly Way[] = [
  { name: 'passthrough', open: (direct) => openPassthrough(direct) },
  { name: 'gateway to stdio', open: openStdio },
];

/** HTTP to the gateway, stdio to the server behind it: a locked one of both eras, as a scan would find it. */
export async function stdioGateway(): Promise<RunningGateway> {
  const words = [FIXTURE, 'stdio'];
  const shown = await capture(words);
  const surface: Surface = { ...shown, capture: { ...shown.capture, eras: ['session', 'stateless'] } };
  return startGateway({
    servers: { conformance: 'stdio' },
    surface: () => surface,
    start: () => plainProcess(words),
  });
}

async function openStdio(): Promise<Hop> {
  const gateway = await stdioGateway();
  return { url: `${gateway.url}/servers/conformance/mcp`, close: () => gateway.close() };
}
