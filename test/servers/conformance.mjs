// A real MCP server of both eras with all that the MCP conformance suite asks a server for.
// `node conformance.mjs stdio`, or `node conformance.mjs http`, which prints its address once it listens. Over stdio,
// `session` or `stateless` behind it makes it speak that era alone.
import { StdioServerTransport, serveStdio } from '@modelcontextprotocol/server/stdio';
import { serveHttp } from './conformance/http.mjs';
import { makeServer } from './conformance/make.mjs';

const [face, era] = process.argv.slice(2);
if (face === 'stdio' && era === 'session') await makeServer().connect(new StdioServerTransport());
else if (face === 'stdio')
  serveStdio(() => makeServer(), { legacy: era === 'stateless' ? 'reject' : 'serve' });
else if (face === 'http') process.stdout.write(`${await serveHttp()}\n`);
else {
  process.stderr.write('conformance.mjs: expected stdio or http\n');
  process.exit(2);
}
