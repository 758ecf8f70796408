// What a gateway is that is made of an SDK's client and server, and does nothing else: argv[2] is the SDK, v1 or v2, the
// rest is the server to start. Over stdio.
const [sdk, command, ...args] = process.argv.slice(2);
const info = { name: 'pair', version: '1.0.0' };
const capabilities = { tools: {} };

async function older() {
  const { Client } = await import('@modelcontextprotocol/sdk/client/index.js');
  const { StdioClientTransport } = await import('@modelcontextprotocol/sdk/client/stdio.js');
  const { Server } = await import('@modelcontextprotocol/sdk/server/index.js');
  const { StdioServerTransport } = await import('@modelcontextprotocol/sdk/server/stdio.js');
  const types = await import('@modelcontextprotocol/sdk/types.js');
  const client = new Client(info);
  await client.connect(new StdioClientTransport({ command, args }));
  const server = new Server(info, { capabilities });
  server.setRequestHandler(types.ListToolsRequestSchema, ({ params }) => client.listTools(params));
  server.setRequestHandler(types.CallToolRequestSchema, ({ params }) => client.callTool(params));
  await server.connect(new StdioServerTransport());
}

async function newer() {
  const { Client } = await import('@modelcontextprotocol/client');
  const { StdioClientTransport } = await import('@modelcontextprotocol/client/stdio');
  const { Server } = await import('@modelcontextprotocol/server');
  const { serveStdio } = await import('@modelcontextprotocol/server/stdio');
  const client = new Client(info);
  await client.connect(new StdioClientTransport({ command, args }));
  serveStdio(() => {
    const server = new Server(info, { capabilities });
    server.setRequestHandler('tools/list', ({ params }) => client.listTools(params));
    server.setRequestHandler('tools/call', ({ params }) => client.callTool(params));
    return server;
  });
}

await (sdk === 'v1' ? older() : newer());
