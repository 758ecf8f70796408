/** Where a browser comes back to after a sign-in: a port of this machine that is open for one answer (RFC 8252). */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { assertOwnUser } from '../runtime/identity/behind.ts';
import { LockkeeperError, quote } from '../schemas/errors.ts';

export interface Back {
  readonly code: string;
  readonly iss: string | undefined;
}

export interface Loopback {
  readonly redirect: string;
  /** What came back in this state. Throws SIGN_IN_REFUSED in the provider's words, SIGN_IN_INVALID when it is too late. */
  wait(ms: number): Promise<Back>;
  close(): void;
}

const HEADERS = {
  'content-type': 'text/plain; charset=utf-8',
  'content-security-policy': "default-src 'none'",
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  connection: 'close',
};
const PATH = '/back';
const ANOTHERS =
  'This came from another user of this machine, or from nobody can tell whom. If it was you, run it again with --no-browser.';
/** So long connections stay after it is closed, ms. */
const LAST_MS = 1000;

export interface Way {
  /** The port; default: any that is free. */
  readonly at?: number;
  /** The state is on a command line, where every user of this machine reads it: the answer has to come from this one. */
  readonly shown?: boolean;
}

/** Listens on 127.0.0.1 alone. Whoever comes without the state is turned away, and is waited past. */
export async function openLoopback(state: string, { at = 0, shown = false }: Way = {}): Promise<Loopback> {
  const answer = Promise.withResolvers<Back>();
  // Refused before anybody waits, it is nobody's unhandled rejection.
  answer.promise.catch(() => undefined);
  const server = createServer((request, response) => void answered(request, response));
  const answered = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const back = backIn(request, { state, host: `127.0.0.1:${port()}` });
    if (back === null) return say(response, 400, 'This is not an answer that anybody waits for.');
    if (shown && !(await isOwn(request))) return say(response, 403, ANOTHERS);
    if (back instanceof LockkeeperError) {
      answer.reject(back);
      return say(response, 200, 'The sign-in was not completed. The terminal says why.');
    }
    answer.resolve(back);
    say(response, 200, 'You can close this page and go back to the terminal.');
  };
  const port = (): number => (server.address() as AddressInfo).port;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(at, '127.0.0.1', resolve);
  });
  return {
    redirect: `http://127.0.0.1:${port()}${PATH}`,
    wait: (ms) => {
      const timer = setTimeout(() => answer.reject(late(ms)), ms);
      return answer.promise.finally(() => clearTimeout(timer));
    },
    close: () => {
      server.close();
      server.closeIdleConnections();
      // Somebody else here who holds one open would keep the whole command; the browser has its answer by then.
      setTimeout(() => server.closeAllConnections(), LAST_MS).unref();
    },
  };
}

function isOwn({ socket }: IncomingMessage): Promise<boolean> {
  return assertOwnUser(socket).then(
    () => true,
    () => false,
  );
}

/** Null for what is no answer to this sign-in. */
function backIn(
  { method, url = '', headers }: IncomingMessage,
  { state, host }: { state: string; host: string },
): Back | LockkeeperError | null {
  // A page of a stranger whose name leads to this machine sends another host.
  if (method !== 'GET' || headers.host !== host || !URL.canParse(url, `http://${host}`)) return null;
  const { pathname, searchParams } = new URL(url, `http://${host}`);
  const said = (name: string): string | undefined => {
    const all = searchParams.getAll(name);
    return all.length === 1 ? all[0] : undefined;
  };
  const [code, error] = [said('code'), said('error')];
  if (pathname !== PATH || said('state') !== state || (code === undefined) === (error === undefined))
    return null;
  if (code !== undefined) return { code, iss: said('iss') };
  return new LockkeeperError('SIGN_IN_REFUSED', {
    expected: 'the identity provider to let you in',
    found: /^[a-z_]{1,60}$/.test(error ?? '') ? (error ?? '') : quote(error ?? '', 60),
    next: 'Try again, or ask whoever keeps the identity provider',
  });
}

function say(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, HEADERS).end(`${text}\n`);
}

function late(ms: number): LockkeeperError {
  return new LockkeeperError('SIGN_IN_INVALID', {
    expected: `an answer of the identity provider within ${Math.round(ms / 60_000)} minutes`,
    found: 'none',
    next: 'Run it again; over ssh with --no-browser',
  });
}
