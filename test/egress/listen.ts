/** Whoever may be reached, on every address of a network namespace: notes by whom with what, and answers a little. */
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';

/** Open on all addresses. */
export const PORTS = [22, 80, 443, 8080];
/** How long what comes is listened to before it is answered, ms. */
const LISTEN_MS = 40;
const KEEP = 4000;

export interface Reached {
  /** The address that was asked for. */
  readonly address: string;
  readonly port: number;
  /** What was sent, its beginning. */
  text: string;
  /** Bytes that were taken by whoever asked for an endless answer. */
  pushed: number;
}

export async function listenOn(port: number, host: string, reached: Reached[]): Promise<void> {
  const server = createServer((socket) => take(socket, port, reached));
  server.unref().listen(port, host);
  await once(server, 'listening');
}

function take(socket: Socket, port: number, reached: Reached[]): void {
  const address = (socket.localAddress ?? '').replace(/^::ffff:(?=\d+\.)/, '');
  const note: Reached = { address, port, text: '', pushed: 0 };
  reached.push(note);
  socket.on('error', () => socket.destroy());
  socket.on('data', (bytes: Buffer) => {
    if (note.text === '') setTimeout(() => answer(socket, note), LISTEN_MS);
    note.text = (note.text + bytes.toString('latin1')).slice(0, KEEP);
  });
}

function answer(socket: Socket, note: Reached): void {
  const { text } = note;
  // The rest of a hello is waited for, as servers do.
  const [, , , high = 0, low = 0] = Buffer.from(text.slice(0, 5), 'latin1');
  if (text.startsWith('\u0016')) return text.length < 5 + high * 256 + low ? undefined : void socket.end();
  if (/^GET \S*\/long-head/.test(text))
    return void socket.end(`HTTP/1.1 200 OK\r\nx: ${'a'.repeat(1 << 20)}\r\ncontent-length: 2\r\n\r\nok`);
  if (/^GET \S*\/endless/.test(text)) return void push(socket, note);
  if (/^upgrade:/im.test(text))
    return void socket.write('HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n');
  socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok');
}

/** As much as is taken, 128 MiB at most. */
function push(socket: Socket, note: Reached): void {
  const chunk = Buffer.alloc(1 << 16, 'x');
  socket.write('HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n');
  const more = (): void => {
    while (note.pushed < 128 << 20 && !socket.destroyed) {
      note.pushed += chunk.length;
      if (!socket.write(chunk)) return void socket.once('drain', more);
    }
  };
  more();
}
