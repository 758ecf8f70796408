/** Signing in without a one-time code: through a browser on this machine, or one elsewhere. */
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { assertSecureUrl } from '../runtime/identity/url.ts';
import { TokenView } from '../schemas/api.ts';
import { LockkeeperError } from '../schemas/errors.ts';
import { BegunView, DeviceView, SignInWays } from '../schemas/sign-in.ts';
import type { Api } from './api.ts';
import type { Context } from './command.ts';
import { openLoopback } from './loopback.ts';
import { plain } from './output.ts';

/** Bytes of what is random: 43 characters, as RFC 7636 has them at least. */
const RANDOM_BYTES = 32;

/** The token of whoever the identity provider vouches for. Throws USAGE where the registry takes one-time codes alone. */
export async function signInByProvider(
  context: Context,
  api: Api,
  { browser }: { browser: boolean },
): Promise<TokenView> {
  const { provider } = await api.call('signInWays', SignInWays);
  if (provider === null)
    throw new LockkeeperError('USAGE', {
      expected: '--code: the one-time code; people sign in to this registry with those alone',
      found: 'no value',
      next: 'Ask an administrator for a code, and run: lk login URL --code CODE',
    });
  return !browser && provider.device ? byDevice(context, api) : byBrowser(context, api, browser);
}

async function byBrowser(context: Context, api: Api, browser: boolean): Promise<TokenView> {
  const [verifier, state] = [random(), random()];
  const challenge = createHash('sha256').update(verifier).digest('base64url');
  const loopback = await openLoopback(state, { shown: browser });
  try {
    const { redirect } = loopback;
    const { id, url, expires } = await api.call('signInBegin', BegunView, {
      body: { redirect, challenge, state },
    });
    const shown = assertSecureUrl(url, 'the address that the registry sends you to').href;
    context.say(`Sign in here, in a browser on this machine:\n\n  ${shown}\n`);
    if (browser) openBrowser(shown);
    else context.say(tunnelTo(redirect));
    const { code, iss } = await loopback.wait(Date.parse(expires) - Date.now());
    const body = { id, code, verifier, ...(iss === undefined ? {} : { iss }) };
    return await api.call('signInEnd', TokenView, { body });
  } finally {
    loopback.close();
  }
}

/** Over ssh the browser is elsewhere, and has to come back to this machine. */
export function tunnelTo(redirect: string): string {
  const { port } = new URL(redirect);
  return `In a browser on another machine, once this runs there: ssh -L ${port}:127.0.0.1:${port} THIS-MACHINE\n`;
}

async function byDevice(context: Context, api: Api): Promise<TokenView> {
  const { id, url, code, interval, expires } = await api.call('signInDevice', DeviceView, { body: {} });
  const shown = assertSecureUrl(url, 'the address that the registry sends you to').href;
  const typed = context.paint.bold(plain(code));
  context.say(`Open this in a browser anywhere, and type ${typed} there:\n\n  ${shown}\n`);
  while (Date.now() < Date.parse(expires)) {
    await pause(interval * 1000);
    const token = await api.call('signInEnd', TokenView, { body: { id } }).catch(ifPending);
    if (token) return token;
  }
  throw new LockkeeperError('SIGN_IN_INVALID', {
    expected: `the code to be typed before ${expires}`,
    found: 'that nobody did',
    next: 'Run it again: lk login URL --no-browser',
  });
}

function ifPending(error: unknown): null {
  if (error instanceof LockkeeperError && error.code === 'SIGN_IN_PENDING') return null;
  throw error;
}

/** Where there is none, the printed address is all there is. Without a shell: the address is a word of its own. */
export function openBrowser(url: string): void {
  const program = process.platform === 'darwin' ? 'open' : 'xdg-open';
  const child = spawn(program, [url], { stdio: 'ignore', detached: true });
  child.on('error', () => undefined);
  child.unref();
}

function random(): string {
  return randomBytes(RANDOM_BYTES).toString('base64url');
}
