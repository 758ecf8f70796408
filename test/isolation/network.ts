/** Whom a server can reach when it has no way out. */
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import type { Attempt } from './place.ts';
import type { Proof } from './proof.ts';
import { tries } from './tries.ts';

/** Milliseconds that this machine may take to answer itself. */
const ANSWER = 2000;

/** Whether whoever listens there on this machine says the word; another program may have the same number. */
function calledAt(port: number, word: string): Promise<Attempt> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    let said = '';
    const end = (seen: string): void => {
      socket.destroy();
      resolve({ broke: said === word, seen: said === word ? 'called from outside' : seen });
    };
    socket.setTimeout(ANSWER, () => end('silence'));
    socket.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString('latin1')).slice(0, 100);
    });
    socket.on('end', () => end('another one'));
    socket.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
  });
}

const served: Proof = {
  id: 'a port of its own',
  tries: 'serve at a port that others of this machine can call',
  run: async (place) => {
    const word = randomBytes(8).toString('hex');
    const { seen } = await (await place.probe()).attempt('serve', word);
    return /^\d+$/.test(seen) ? calledAt(Number(seen), word) : { broke: false, seen };
  },
};

export const networkProofs: readonly Proof[] = [
  tries('loopback', 'reach a server on this machine’s loopback', {
    does: ['connect', ({ tcp }) => ['127.0.0.1', tcp]],
  }),
  tries('loopback, version 6', 'reach it by the other version', {
    does: ['connect', ({ tcp }) => ['::ffff:127.0.0.1', tcp]],
  }),
  tries('UDP', 'send a datagram and be answered', { does: ['udp', ({ udp }) => [udp]] }),
  tries('DNS', 'ask a name server', { does: ['resolve', ({ udp }) => ['api.example.com', udp]] }),
  tries('socket file', 'reach a socket that has a path', {
    does: ['connectPath', ({ socketPath }) => [socketPath]],
  }),
  tries('abstract socket', 'reach a socket that has only a name', {
    does: ['connectPath', ({ abstractName }) => [`@${abstractName}`]],
  }),
  served,
  tries('interfaces', 'find an interface besides the loopback', { does: ['interfaces'] }),
];
