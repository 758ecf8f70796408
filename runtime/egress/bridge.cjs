// Started by the runtime's own Node inside the sandbox of an image that may reach a host: NAME=VALUE ... -- COMMAND.
// Its preload listens where programs look for a proxy; this starts the server beside it and ends as the server does.
'use strict';
const { spawn } = require('node:child_process');
const { constants } = require('node:os');

const words = process.argv.slice(2);
const at = words.indexOf('--');
const env = { ...process.env };
for (const word of words.slice(0, at)) {
  const equals = word.indexOf('=');
  env[word.slice(0, equals)] = word.slice(equals + 1);
}
const [program, ...rest] = words.slice(at + 1);

function start() {
  const server = spawn(program, rest, { env, stdio: 'inherit' });
  server.on('error', (error) => {
    process.stderr.write(`${program}: ${error.code ?? error.message}\n`);
    process.exit(127);
  });
  server.on('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)));
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => server.kill(signal));
}

// The server finds somebody listening from its first line on.
const listener = require('/lockkeeper/preload.cjs');
listener.ref();
if (listener.listening) start();
else listener.once('listening', start);
