/** The program that the suite starts as a client: `relay.mjs SOCKET WAY URL`. It has the part played where its socket leads. */
import { connect } from 'node:net';

const [socket = '', way, url] = process.argv.slice(2);
const { MCP_CONFORMANCE_SCENARIO: scenario, MCP_CONFORMANCE_CONTEXT: context } = process.env;
const { MCP_CONFORMANCE_PROTOCOL_VERSION: version } = process.env;
const line = connect(socket);
let answer = '';
line.end(JSON.stringify({ way, url, scenario, context, version }));
line.setEncoding('utf8').on('data', (part) => {
  answer += part;
});
line.on('error', () => process.exit(2));
line.on('close', () => {
  process.stderr.write(answer);
  process.exit(answer === 'played' ? 0 : 1);
});
