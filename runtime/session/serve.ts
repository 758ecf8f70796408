/** One client over two streams, one locked server: lines in, lines out. */
import type { Readable, Writable } from 'node:stream';
import { ClientSide } from './client.ts';
import { Conversation } from './conversation.ts';
import type { SessionEnd, SessionOptions } from './options.ts';

const DRAIN_MS = 30_000; // for answers after the client closed

export interface StdioOptions extends SessionOptions {
  readonly client: { readonly input: Readable; readonly output: Writable };
}

/** Runs until the client closes, the server ends or something is refused for good. Leaves no process behind. */
export async function serveSession(options: StdioOptions): Promise<SessionEnd> {
  const client = new ClientSide(options.client);
  const conversation = new Conversation(options, client);
  let late: NodeJS.Timeout | undefined;
  client.read({
    message: (message) => conversation.take(message),
    badLine: (error) => conversation.refuseLine(error),
    broken: (error) => conversation.end('refused', error),
    ended: () => {
      late = setTimeout(() => conversation.end('client closed'), DRAIN_MS);
      conversation.endWhenIdle();
    },
    deaf: () => conversation.end('client closed'),
  });
  const end = await conversation.run();
  clearTimeout(late);
  return end;
}
