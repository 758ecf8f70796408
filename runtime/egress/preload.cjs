// Loaded into Node servers inside the sandbox. It gives them a way to the egress proxy and reports direct attempts, so
// that they can be recorded. It guards nothing: the sandbox has no other way out, with or without this file.
'use strict';
const net = require('node:net');
const SOCKET = '/lockkeeper/egress.sock';
const PORT = 3128;
const connect = net.Socket.prototype.connect;

function open() {
  const socket = new net.Socket();
  socket.on('error', () => socket.destroy());
  connect.call(socket, { path: SOCKET });
  return socket;
}

const bridge = net.createServer((inner) => {
  const outer = open();
  inner.on('error', () => outer.destroy());
  outer.on('close', () => inner.destroy());
  inner.on('close', () => outer.destroy());
  inner.pipe(outer).pipe(inner);
});
bridge.on('error', () => undefined);
bridge.listen(PORT, '127.0.0.1');
bridge.unref();
module.exports = bridge;

let reports = 0;
function report(host, port) {
  if (reports++ > 200) return;
  try {
    const socket = open();
    socket.unref();
    const body = JSON.stringify({ host: String(host).slice(0, 253), port: Number(port) || 0 });
    socket.end(
      `POST /report HTTP/1.1\r\nhost: proxy\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
    );
  } catch {
    // Reporting is a courtesy of this file; the sandbox refuses either way.
  }
}

net.Socket.prototype.connect = function (...words) {
  try {
    const first = Array.isArray(words[0]) ? words[0][0] : words[0];
    const options = typeof first === 'object' && first !== null ? first : { port: first, host: words[1] };
    const host = typeof options.host === 'string' ? options.host : 'localhost';
    const local = host === '127.0.0.1' && Number(options.port) === PORT;
    if (options.path === undefined && options.port !== undefined && !local) report(host, options.port);
  } catch {
    // Options of another shape are the server's own affair.
  }
  return connect.apply(this, words);
};

const dgram = require('node:dgram');
const send = dgram.Socket.prototype.send;
dgram.Socket.prototype.send = function (...words) {
  const port = words.find((word, index) => index > 0 && typeof word === 'number' && word > 0);
  const host = words.find((word, index) => index > 0 && typeof word === 'string');
  report(host ?? 'localhost', port ?? 0);
  return send.apply(this, words);
};
