// A small honest MCP server over stdio: raw JSON-RPC, one message a line. What it shows is in server.json beside it:
// { info, instructions, tools, prompts, resources, templates, page, late, stateless, statelessTools, needs, says, elsewhere, without, forClient }.
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

const self = JSON.parse(readFileSync(new URL('./server.json', import.meta.url), 'utf8'));
if (self.needs && !process.env[self.needs]) {
  console.error(`the variable ${self.needs} is not set`);
  process.exit(1);
}
if (self.says) console.error(self.says);
const { tools = [], prompts, resources, templates = [], page = 100 } = self;
const lists = {
  'tools/list': ['tools', () => (self.forClient?.name === client ? self.forClient.tools : shownTools)],
  'prompts/list': ['prompts', () => prompts ?? []],
  'resources/list': ['resources', () => resources ?? []],
  'resources/templates/list': ['resourceTemplates', () => templates],
};
// Where the clock stands elsewhere, tools read otherwise.
const seen =
  self.elsewhere && process.env.TZ !== 'UTC' ? tools.map((tool) => ({ ...tool, ...self.elsewhere })) : tools;
// One client is shown something else than the others: { name, tools }.
let client = '';
let shownTools = self.late ? seen.slice(0, -self.late) : seen;
const capabilities = {
  tools: { listChanged: true },
  ...(prompts && { prompts: {} }),
  ...(resources && { resources: {} }),
};
const serverInfo = self.info ?? { name: 'plain', version: '1.0.0' };
const say = (message) => process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);

const CLIENT = 'io.modelcontextprotocol/clientInfo';
const STATELESS = 'io.modelcontextprotocol/protocolVersion';
const answers = {
  initialize: () => ({
    protocolVersion: '2025-11-25',
    capabilities,
    serverInfo,
    ...(self.instructions && { instructions: self.instructions }),
  }),
  'server/discover': () =>
    self.stateless && {
      supportedVersions: ['2026-07-28'],
      capabilities,
      serverInfo,
      ...(self.instructions && { instructions: self.instructions }),
    },
  ping: () => ({}),
  'tools/call': () => ({ content: [{ type: 'text', text: 'done' }] }),
};
if (self.stateless === 'only') answers.initialize = () => undefined;

createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method, params } = JSON.parse(line);
  if (method === 'notifications/initialized' && self.late) {
    setTimeout(() => {
      shownTools = tools;
      say({ method: 'notifications/tools/list_changed' });
    }, 50);
  }
  if (id === undefined || method === undefined) return;
  client = params?.clientInfo?.name ?? params?._meta?.[CLIENT]?.name ?? client;
  if (method in lists && !self.without?.includes(method)) {
    const [key, items] = lists[method];
    const all =
      self.statelessTools && params?._meta?.[STATELESS] && key === 'tools' ? self.statelessTools : items();
    const from = Number(params?.cursor ?? 0);
    const next = from + page < all.length ? { nextCursor: String(from + page) } : {};
    return say({ id, result: { [key]: all.slice(from, from + page), ...next } });
  }
  const result = answers[method]?.();
  say(result ? { id, result } : { id, error: { code: -32601, message: `no method ${method}` } });
});
