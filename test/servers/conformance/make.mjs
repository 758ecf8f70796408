// The one server behind both faces. What it offers never changes, so that it can be locked.
import { createRequestStateCodec, fromJsonSchema, McpServer } from '@modelcontextprotocol/server';
import { askingTools } from './asking.mjs';
import { addPrompts } from './prompts.mjs';
import { addResources } from './resources.mjs';
import { roundTools } from './rounds.mjs';
import { plainTools } from './tools.mjs';

// Any process of this server may be given a state that another one made.
const codec = createRequestStateCodec({ key: 'a fixture has no secrets, and it knows that' });
const HINT = { ttlMs: 60_000, cacheScope: 'public' };

/** A server for one connection, session or request. `changed` tells of a list that is said to have changed. */
export function makeServer(changed) {
  const server = new McpServer(
    { name: 'conformance', version: '1.0.0' },
    {
      capabilities: {
        tools: { listChanged: true },
        prompts: { listChanged: true },
        resources: { listChanged: true, subscribe: true },
        completions: {},
        logging: {},
      },
      cacheHints: Object.fromEntries(
        [
          'tools/list',
          'prompts/list',
          'resources/list',
          'resources/templates/list',
          'resources/read',
          'server/discover',
        ].map((method) => [method, HINT]),
      ),
      requestState: { verify: codec.verify },
    },
  );
  const tell = changed ?? {
    tools: () => server.sendToolListChanged(),
    prompts: () => server.sendPromptListChanged(),
  };
  for (const [name, description, schema, run] of [
    ...plainTools(tell),
    ...askingTools(),
    ...roundTools(codec),
  ]) {
    const inputSchema = fromJsonSchema(schema ?? { type: 'object', properties: {} });
    server.registerTool(name, { description, inputSchema }, run);
  }
  addResources(server);
  addPrompts(server);
  return server;
}
