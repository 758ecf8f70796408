/** The program that the suite starts as a client: `player.ts direct|gateway|lossy URL`. What it is to do is in its variables. */
import { credentialsFor } from './credentials.ts';
import { type Hop, openPassthrough } from './hops.ts';
import { type Context, play } from './play.ts';
import { openRemoteGateway } from './remote-hop.ts';
import { REVISIONS } from './suite.ts';

const { MCP_CONFORMANCE_SCENARIO: scenario = '', MCP_CONFORMANCE_CONTEXT: told = '{}' } = process.env;
const { MCP_CONFORMANCE_PROTOCOL_VERSION: version } = process.env;
const [way = '', url = ''] = process.argv.slice(2);
const context = JSON.parse(told) as Context;
const revision = REVISIONS.find((each) => each === version) ?? '2026-07-28';
const credentials = async () =>
  context.client_id === undefined ? undefined : credentialsFor('suite', url, context);

/** Loses what the newer era repeats in headers; it is there to be seen. */
const loss = { headers: (headers: NodeJS.Dict<string | string[]>) => void delete headers['mcp-name'] };
const HOPS: Readonly<Record<string, () => Promise<Hop>>> = {
  direct: async () => ({ url, close: async () => undefined }),
  gateway: async () => openRemoteGateway(url, revision, await credentials()),
  lossy: () => openPassthrough(url, { loss }),
};

const hop = await HOPS[way]?.();
if (!hop) throw new Error(`player.ts: expected ${Object.keys(HOPS).join(', ')}; found ${way}`);
try {
  await play(hop.url, { scenario, context, revision, alone: way !== 'gateway' });
} finally {
  await hop.close();
}
process.exit(0);
