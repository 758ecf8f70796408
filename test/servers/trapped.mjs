// A server of the session era with the habits that real ones have. argv[2] names one; argv[3] is a log of all it hears.
//   exits   ends when it is asked anything before initialize
//   mute    never answers server/discover
//   noisy   says four times that its tools changed, between the first question for them and its answer
//   strays  speaks of a subscription that nobody has when it is called
//   choosy  shows more tools to a client that can do more
import { appendFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

const [how, log] = process.argv.slice(2);
const send = (message) => process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
const tool = (name) => ({ name, description: `The tool ${name}`, inputSchema: { type: 'object' } });
let greeted = false;
let settled = false;
let capabilities = {};

function tools() {
  const more =
    how === 'choosy' ? ['roots', 'sampling', 'elicitation'].filter((one) => capabilities[one]) : [];
  return ['echo', ...more].map(tool);
}

const answers = {
  initialize: (params) => {
    greeted = true;
    capabilities = params.capabilities ?? {};
    return {
      protocolVersion: '2025-11-25',
      capabilities: { tools: { listChanged: true } },
      serverInfo: { name: 'trapped', version: '1' },
    };
  },
  'tools/list': () => {
    // After the start, as servers do that add their tools once they are greeted.
    if (how === 'noisy' && !settled)
      for (let n = 0; n < 4; n++) send({ method: 'notifications/tools/list_changed' });
    settled = true;
    return { tools: tools() };
  },
  'tools/call': ({ name }) => {
    if (how === 'strays')
      send({
        method: 'notifications/resources/updated',
        params: { uri: 'a:b', _meta: { 'io.modelcontextprotocol/subscriptionId': 99 } },
      });
    return { content: [{ type: 'text', text: name }] };
  },
  ping: () => ({}),
};

createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method, params = {} } = JSON.parse(line);
  if (log) appendFileSync(log, `${JSON.stringify({ pid: process.pid, method, params })}\n`);
  if (how === 'exits' && !greeted && method !== 'initialize') process.exit(1);
  if (id === undefined || (how === 'mute' && method === 'server/discover')) return;
  const answer = answers[method];
  if (answer) send({ id, result: answer(params) });
  else send({ id, error: { code: -32601, message: 'Method not found' } });
});
