// A real MCP server of both eras with all that the MCP conformance suite asks a server for.
// `node conformance.mjs stdio`, or `node conformance.mjs http`, which prints its address once it listens.
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { serveHttp } from './conformance/http.mjs';
import { makeServer } from './conformance/make.mjs';

const [face] = process.argv.slice(2);
if (face === 'stdio') serveStdio(() => makeServer());
else if (face === 'http') process.stdout.write(`${await serveHttp()}\n`);
else {
  process.stderr.write('conformance.mjs: expected stdio or http\n');
  process.exit(2);
}
