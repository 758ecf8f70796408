/** Whom a server can reach when it has no way out. */
import type { Proof } from './proof.ts';
import { tries } from './tries.ts';

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
  tries('interfaces', 'find an interface besides the loopback', { does: ['interfaces'] }),
];
