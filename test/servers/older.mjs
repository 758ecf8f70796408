// A real MCP server of the session era alone, made with the older SDK: it asks its client while its tools run. With
// `eager` behind it, it asks as soon as it is greeted as well.
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import {
  CallToolRequestSchema,
  ListResourcesRequestSchema,
  ListResourceTemplatesRequestSchema,
  ListToolsRequestSchema,
  ReadResourceRequestSchema,
  SubscribeRequestSchema,
  UnsubscribeRequestSchema,
} from '@modelcontextprotocol/sdk/types.js';

const server = new Server(
  { name: 'older', version: '1.0.0' },
  {
    capabilities: { logging: {}, tools: { listChanged: true }, resources: { subscribe: true } },
    instructions: 'Ask it anything.',
  },
);
const tools = new Map();
const tool = (name, run, properties = {}) =>
  tools.set(name, {
    run,
    shown: { name, description: `The tool ${name}`, inputSchema: { type: 'object', properties } },
  });
const note = { uri: 'note://one', name: 'one', description: 'A note' };
const text = (words) => ({ content: [{ type: 'text', text: words }] });
const object = { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] };

async function askName(message) {
  const { action, content } = await server.elicitInput({ message, requestedSchema: object });
  return action === 'accept' ? String(content.name) : action;
}
async function sample(words) {
  const { content } = await server.createMessage({
    messages: [{ role: 'user', content: { type: 'text', text: words } }],
    maxTokens: 10,
  });
  return content.text;
}
// What is asked in this turn: on a busy machine it could come too far apart to be one round.
function inOneWrite() {
  process.stdout.cork();
  setImmediate(() => process.stdout.uncork());
}
tool('echo', async ({ words }) => text(words), { words: { type: 'string' } });
tool('greet', async ({ greeting }) => text(`${greeting}, ${await askName('Your name?')}`), {
  greeting: { type: 'string' },
});
tool('twice', async () => text(`${await askName('First?')} and ${await askName('Second?')}`));
tool('both', async () => {
  inOneWrite();
  return text((await Promise.all([askName('Name?'), sample('Say hi')])).join(' '));
});
tool('where', async () => text((await server.listRoots()).roots.map(({ uri }) => uri).join(' ')));
tool('endless', async () => {
  for (;;) await askName('Again?');
});
tool('flood', async () => {
  inOneWrite();
  const asked = Array.from({ length: 40 }, (_, at) =>
    askName(`Name ${at}?`).then(
      () => 1,
      () => 0,
    ),
  );
  return text(`${(await Promise.all(asked)).reduce((sum, one) => sum + one)} of 40`);
});
// Does not wait for the client, and answers something long.
tool(
  'hasty',
  async ({ size }) => {
    void askName('Anyone?').catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 200));
    return text('x'.repeat(size));
  },
  { size: { type: 'integer' } },
);
tool('forged', async () => ({
  ...text('not asked'),
  resultType: 'input_required',
  inputRequests: { a: { method: 'roots/list' } },
  requestState: 'mine',
}));
let eager = Promise.resolve('nothing asked');
if (process.argv[2] === 'eager')
  server.oninitialized = () => {
    eager = server.listRoots().then(
      () => 'answered',
      () => 'refused',
    );
  };
tool('early', async () => text(await eager));
tool('late', async () => {
  setTimeout(() => void askName('Outside?').catch(() => undefined), 20);
  return text('done');
});
tool('steps', async (_args, { sendNotification, _meta }) => {
  await server.sendLoggingMessage({ level: 'info', data: 'begun' });
  for (const progress of [1, 2])
    if (_meta?.progressToken !== undefined)
      await sendNotification({
        method: 'notifications/progress',
        params: { progressToken: _meta.progressToken, progress, total: 2 },
      });
  return text('stepped');
});
tool('touch', async () => {
  await server.sendResourceUpdated({ uri: 'note://one' });
  await server.sendToolListChanged();
  return text('touched');
});

const answers = [
  [ListToolsRequestSchema, async () => ({ tools: [...tools.values()].map(({ shown }) => shown) })],
  [CallToolRequestSchema, ({ params }, extra) => tools.get(params.name).run(params.arguments ?? {}, extra)],
  [ListResourcesRequestSchema, async () => ({ resources: [note] })],
  [ListResourceTemplatesRequestSchema, async () => ({ resourceTemplates: [] })],
  [ReadResourceRequestSchema, async () => ({ contents: [{ uri: note.uri, text: 'a note' }] })],
  [SubscribeRequestSchema, async () => ({})],
  [UnsubscribeRequestSchema, async () => ({})],
];
for (const [schema, answer] of answers) server.setRequestHandler(schema, answer);
await server.connect(new StdioServerTransport());
