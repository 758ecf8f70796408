// A real MCP server of the stateless era alone that asks more than any client should answer. `node newer.mjs`.
import { fromJsonSchema, inputRequired, McpServer } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';

const text = (words) => ({ content: [{ type: 'text', text: words }] });
const ask = (message) =>
  inputRequired.elicit({
    mode: 'form',
    message,
    requestedSchema: { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] },
  });
const none = fromJsonSchema({ type: 'object', properties: {} });

function make() {
  const server = new McpServer({ name: 'newer', version: '1.0.0' }, { capabilities: { tools: {} } });
  const tool = (name, run) =>
    server.registerTool(name, { description: `The tool ${name}`, inputSchema: none }, run);
  tool('endless', async () => inputRequired({ inputRequests: { a: ask('Again?') }, requestState: 'again' }));
  tool('pacing', async () => inputRequired({ requestState: 'not yet' }));
  tool('heavy', async () =>
    inputRequired({ inputRequests: { a: ask('Name?') }, requestState: 'x'.repeat(300_000) }),
  );
  tool('flood', async () =>
    inputRequired({
      inputRequests: Object.fromEntries(
        Array.from({ length: 40 }, (_, at) => [`q${at}`, ask(`Name ${at}?`)]),
      ),
    }),
  );
  // Another reader may take the second name for the first.
  tool('dressed', async () => {
    const { method, params } = ask('Name?');
    return inputRequired({ inputRequests: { a: { method, params: { ...params, Mode: 'url' } } } });
  });
  tool('plain', async (_args, ctx) => text(JSON.stringify(ctx.mcpReq.envelope ?? {})));
  return server;
}
serveStdio(make, { legacy: 'reject' });
