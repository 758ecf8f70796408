/** Signing in through the identity provider: away to it, and back with a code that counts in this tab alone. */
import type { TokenView } from '../schemas/api.ts';
import type { BegunView, SignInWays } from '../schemas/sign-in.ts';
import { ask, keepToken } from './api.ts';
import { el, form } from './dom.ts';

const KEY = 'lockkeeper-sign-in';

interface Begun {
  readonly id: string;
  readonly state: string;
  readonly verifier: string;
}

/** The way in through the provider; null where people sign in with one-time codes alone. */
export async function providerForm(): Promise<HTMLElement | null> {
  const { provider } = await ask<SignInWays>('/v1/sign-in');
  if (provider === null) return null;
  const text = `Sign in with ${new URL(provider.issuer).host}`;
  return el('div', {}, form([], { text }, leave));
}

async function leave(): Promise<void> {
  // Absent where the line is open: there the code could be read on its way.
  if (!crypto.subtle)
    throw new Error('Open this page over https, or as http on this machine, to sign in so.');
  const [verifier, state] = [random(), random()];
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(verifier));
  const body = { redirect: `${location.origin}/`, challenge: base64url(new Uint8Array(digest)), state };
  const { id, url } = await ask<BegunView>('/v1/sign-in/begin', body);
  sessionStorage.setItem(KEY, JSON.stringify({ id, state, verifier } satisfies Begun));
  location.assign(url);
}

/** Ends the sign-in that this tab began and that the address is the answer to. Throws what the registry says. */
export async function comeBack(): Promise<void> {
  const said = new URLSearchParams(location.search);
  const kept = sessionStorage.getItem(KEY);
  if (said.get('state') === null) return;
  // Neither the history nor a copied address keeps the code.
  history.replaceState(null, '', `/${location.hash}`);
  sessionStorage.removeItem(KEY);
  const begun = kept === null ? null : (JSON.parse(kept) as Begun);
  const [code, iss] = [said.get('code'), said.get('iss')];
  if (begun === null || begun.state !== said.get('state'))
    throw new Error('This is the answer to a sign-in that this tab did not begin. Sign in here.');
  if (code === null)
    throw new Error(`The identity provider did not let you in: ${said.get('error') ?? 'no reason'}.`);
  const { id, verifier } = begun;
  const body = { id, code, verifier, ...(iss === null ? {} : { iss }) };
  keepToken((await ask<TokenView>('/v1/sign-in/end', body)).token);
}

function random(): string {
  return base64url(crypto.getRandomValues(new Uint8Array(32)));
}

function base64url(bytes: Uint8Array): string {
  const text = btoa(String.fromCharCode(...bytes));
  return text.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}
