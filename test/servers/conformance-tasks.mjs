// A real server of the stateless era with all that the MCP conformance suite asks one with tasks for.
// `node conformance-tasks.mjs stdio`, or `http`, which prints its address once it listens.
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';

const META = 'io.modelcontextprotocol/';
const VERSION = '2026-07-28';
const EXTENSION = { extensions: { [`${META}tasks`]: {} } };
const TTL_MS = 60_000;
const NAMED = {
  'tools/call': 'name',
  'tasks/get': 'taskId',
  'tasks/update': 'taskId',
  'tasks/cancel': 'taskId',
};
const refusal = (code, message, data) => ({ error: { code, message, ...(data ? { data } : {}) } });
const undeclared = () =>
  refusal(-32021, 'Missing required client capability', { requiredCapabilities: EXTENSION });
const text = (words, more = {}) => ({ content: [{ type: 'text', text: words }], ...more });
const declares = ({ _meta }) =>
  _meta?.[`${META}clientCapabilities`]?.extensions?.[`${META}tasks`] !== undefined;
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const tasks = new Map();
const ask = (message) => ({
  method: 'elicitation/create',
  params: {
    mode: 'form',
    message,
    requestedSchema: { type: 'object', properties: { name: { type: 'string' } } },
  },
});

/** `work` gives what the tool says; what it throws fails the task. */
function makeTask(work) {
  const now = new Date().toISOString();
  const task = {
    taskId: randomUUID(),
    status: 'working',
    createdAt: now,
    lastUpdatedAt: now,
    ttlMs: TTL_MS,
    pollIntervalMs: 200,
  };
  const kept = { task, requests: {}, answers: {}, heard: () => undefined };
  tasks.set(task.taskId, kept);
  const end = (status, inside) => {
    if (task.status !== 'cancelled')
      Object.assign(task, { status, ...inside, lastUpdatedAt: new Date().toISOString() });
  };
  work(kept).then(
    (result) => end('completed', { result }),
    (error) =>
      end('failed', { statusMessage: error.message, error: { code: -32603, message: error.message } }),
  );
  return { resultType: 'task', ...shown(kept), result: undefined };
}

/** Waits until its client has answered all of these. */
async function asked(kept, requests) {
  kept.requests = { ...requests };
  kept.task.status = 'input_required';
  while (Object.keys(kept.requests).length > 0 && kept.task.status !== 'cancelled')
    await new Promise((resolve) => void (kept.heard = resolve));
  if (kept.task.status !== 'cancelled') kept.task.status = 'working';
  return kept.answers;
}

const shown = ({ task, requests }) => ({
  ...task,
  ...(task.status === 'input_required' ? { inputRequests: { ...requests } } : {}),
});

const TOOLS = {
  greet: async ({ name }) => text(`Hello, ${name}!`),
  slow_compute: async ({ seconds = 0 }, params) => {
    const work = async () => {
      await pause(seconds * 1000);
      return text(`computed for ${seconds} s`);
    };
    return declares(params) ? makeTask(work) : work();
  },
  failing_job: (_, params) =>
    declares(params)
      ? makeTask(async () => {
          await pause(500);
          return text('it did not work', { isError: true });
        })
      : undeclared(),
  protocol_error_job: (_, params) =>
    declares(params)
      ? makeTask(async () => {
          await pause(200);
          throw new Error('it broke');
        })
      : undeclared(),
  confirm_delete: (_, params) =>
    declares(params)
      ? makeTask(async (kept) => {
          const { confirm } = await asked(kept, { confirm: ask('Really?') });
          return text(`deleted: ${confirm?.action}`);
        })
      : undeclared(),
  multi_input: (_, params) =>
    declares(params)
      ? makeTask(async (kept) => {
          const answers = await asked(kept, { first: ask('One?'), second: ask('Two?') });
          return text(Object.keys(answers).join(' '));
        })
      : undeclared(),
  test_tool_with_task: (_, params) => {
    if (!declares(params)) return undeclared();
    const name = params.inputResponses?.user_name?.content?.name;
    if (name === undefined)
      return {
        resultType: 'input_required',
        inputRequests: { user_name: ask('Your name?') },
        requestState: 'asked',
      };
    return makeTask(async () => text(`Hello, ${name}`));
  },
};
const TOOL = { inputSchema: { type: 'object' }, description: 'Of the conformance suite' };

async function answer({ method, params = {} }) {
  if (method === 'server/discover')
    return {
      supportedVersions: [VERSION],
      capabilities: { tools: {}, ...EXTENSION },
      ttlMs: 0,
      cacheScope: 'private',
    };
  if (method === 'tools/list')
    return { tools: Object.keys(TOOLS).map((name) => ({ name, ...TOOL })), ttlMs: 0, cacheScope: 'private' };
  if (method === 'tools/call') {
    const tool = TOOLS[params.name];
    return tool ? tool(params.arguments ?? {}, params) : refusal(-32602, 'no such tool');
  }
  if (!['tasks/get', 'tasks/update', 'tasks/cancel'].includes(method))
    return refusal(-32601, 'Method not found');
  if (!declares(params)) return undeclared();
  const kept = tasks.get(params.taskId);
  if (!kept) return refusal(-32602, 'Task not found');
  if (method === 'tasks/get') return shown(kept);
  if (method === 'tasks/cancel' && !['completed', 'failed'].includes(kept.task.status))
    kept.task.status = 'cancelled';
  for (const [key, said] of Object.entries(params.inputResponses ?? {}))
    if (kept.requests[key]) {
      kept.answers[key] = said;
      delete kept.requests[key];
    }
  kept.heard();
  return {};
}

async function respond(message) {
  const said = await answer(message);
  const base = { jsonrpc: '2.0', id: message.id };
  if (said.error?.code !== undefined && said.taskId === undefined) return { ...base, error: said.error };
  const info = { [`${META}serverInfo`]: { name: 'tasks', version: '1' } };
  return { ...base, result: { resultType: 'complete', ...said, _meta: info } };
}

const mismatch = (id) => ({
  jsonrpc: '2.0',
  id,
  ...refusal(-32020, 'Headers and body say different things'),
});

function headersFit({ method, params = {} }, headers) {
  if (headers['mcp-method'] !== method) return false;
  const named = NAMED[method];
  return named === undefined || typeof params[named] !== 'string' || headers['mcp-name'] === params[named];
}

async function serve(req, res) {
  const parts = [];
  for await (const part of req) parts.push(part);
  const message = JSON.parse(Buffer.concat(parts).toString());
  const say = (status, body) =>
    res.writeHead(status, { 'content-type': 'application/json' }).end(body && JSON.stringify(body));
  if (message.id === undefined) return say(202);
  if (!headersFit(message, req.headers)) return say(400, mismatch(message.id));
  const said = await respond(message);
  const code = said.error?.code;
  say(code === -32601 ? 404 : code === -32021 ? 400 : 200, said);
}

if (process.argv[2] === 'http') {
  const server = createServer((req, res) => void serve(req, res).catch(() => res.destroy()));
  server.listen(0, '127.0.0.1', () =>
    process.stdout.write(`http://127.0.0.1:${server.address().port}/mcp\n`),
  );
} else {
  createInterface({ input: process.stdin }).on('line', (line) => {
    const message = JSON.parse(line);
    if (message.id !== undefined && message.method !== undefined)
      void respond(message).then((said) => process.stdout.write(`${JSON.stringify(said)}\n`));
  });
}
