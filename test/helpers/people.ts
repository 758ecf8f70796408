/** People at the test issuer: what lets them in, a browser without a face, and a client program's side of signing in. */
import { randomUUID } from 'node:crypto';
import type {
  OAuthClientProvider,
  OAuthDiscoveryState,
  StoredOAuthClientInformation,
  StoredOAuthTokens,
} from '@modelcontextprotocol/client';
import { Agent, type Dispatcher, fetch as fetchBy } from 'undici';

/** The client that the issuer knows beforehand. */
export const DESK = 'desk';

interface LetIn {
  readonly clients: readonly object[];
  readonly configuration: Record<string, unknown>;
  readonly features: Record<string, unknown>;
}

/** A client known beforehand, one that registers itself, and one that is known by its own document (CIMD). */
export function letIn({ redirect, ca }: { readonly redirect: string; readonly ca?: string }): LetIn {
  const dispatcher: Dispatcher = new Agent(ca === undefined ? {} : { connect: { ca } });
  return {
    clients: [
      {
        client_id: DESK,
        application_type: 'native',
        token_endpoint_auth_method: 'none',
        redirect_uris: [redirect],
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
      },
    ],
    configuration: {
      cookies: { keys: [randomUUID()] },
      issueRefreshToken: () => true,
      fetch: (url: string, { headers, method, signal }: RequestInit) =>
        fetchBy(url, {
          dispatcher,
          redirect: 'manual',
          headers: [...new Headers(headers)],
          method: method ?? 'GET',
          signal: signal ?? null,
        }),
    },
    features: {
      registration: { enabled: true },
      clientIdMetadataDocument: { enabled: true, ack: 'draft-02' },
    },
  };
}

const MAX_STEPS = 12;

/** Signs in as `user` and says yes to whatever is asked; gives the address that the issuer sent the person back to. */
export function signIn(from: URL, { user, back }: { user: string; back: string }): Promise<URL> {
  return walk(from, { answer: (page) => answerTo(page, user), isEnd: ({ href }) => href.startsWith(back) });
}

/** Types the code that a device shows, and signs in as `user`. */
export async function answerDevice(from: URL, { user, code }: { user: string; code: string }): Promise<void> {
  const answer = (page: string): URLSearchParams => {
    const [, xsrf] = /name="xsrf" value="([^"]+)"/.exec(page) ?? [];
    if (xsrf === undefined) return answerTo(page, user);
    const confirm: Record<string, string> = page.includes('name="confirm"') ? { confirm: 'yes' } : {};
    return new URLSearchParams({ xsrf, user_code: code, ...confirm });
  };
  await walk(from, { answer, isEnd: (_url, page) => page.includes('Sign-in Success') });
}

interface Walk {
  readonly answer: (page: string) => URLSearchParams;
  readonly isEnd: (url: URL, page: string) => boolean;
}

/** As a browser goes: cookies kept, each form answered, until the end. */
async function walk(from: URL, { answer, isEnd }: Walk): Promise<URL> {
  const jar = new Map<string, string>();
  let url = from;
  let form: URLSearchParams | undefined;
  for (let step = 0; step < MAX_STEPS; step++) {
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(url, {
      redirect: 'manual',
      headers: { cookie },
      ...(form ? { method: 'POST', body: form } : {}),
    });
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      jar.set(name, value);
    }
    const page = await response.text();
    const location = response.headers.get('location');
    if (location === null && isEnd(url, page)) return url;
    form = location === null ? answer(page) : undefined;
    url = new URL(location ?? /<form[^>]* action="([^"]+)"/.exec(page)?.[1] ?? '', url);
    if (isEnd(url, '')) return url;
  }
  throw new Error(`the issuer did not come to an end at ${url.href}`);
}

function answerTo(page: string, user: string): URLSearchParams {
  const prompt = /name="prompt" value="(\w+)"/.exec(page)?.[1];
  if (prompt === 'login') return new URLSearchParams({ prompt, login: user, password: 'any' });
  if (prompt === 'consent') return new URLSearchParams({ prompt });
  throw new Error(
    `the issuer showed another page: ${page.replace(/<style[\s\S]*?<\/style>/g, '').slice(0, 600)}`,
  );
}

export interface Desk extends OAuthClientProvider {
  /** Where the issuer sent the person last, with the code; null before. */
  readonly back: () => URL | null;
  /** Questions to the person's browser so far. */
  readonly asked: URL[];
  readonly kept: { client?: StoredOAuthClientInformation; tokens?: StoredOAuthTokens };
}

/** What a client program keeps for one person, as both SDKs want it. */
export function deskOf(
  user: string,
  {
    redirect,
    client,
    document,
  }: { redirect: string; client?: StoredOAuthClientInformation; document?: string },
): Desk {
  const kept: Desk['kept'] = client === undefined ? {} : { client };
  const asked: URL[] = [];
  let back: URL | null = null;
  let verifier = '';
  let found: OAuthDiscoveryState | undefined;
  return {
    kept,
    asked,
    back: () => back,
    redirectUrl: redirect,
    ...(document === undefined ? {} : { clientMetadataUrl: document }),
    clientMetadata: {
      client_name: 'a desk',
      redirect_uris: [redirect],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
      application_type: 'native',
    },
    state: () => 'kept by the client',
    saveDiscoveryState: (state) => void (found = state),
    discoveryState: () => found,
    clientInformation: () => kept.client,
    saveClientInformation: (information) => void (kept.client = information),
    tokens: () => kept.tokens,
    saveTokens: (tokens) => void (kept.tokens = tokens),
    saveCodeVerifier: (text) => void (verifier = text),
    codeVerifier: () => verifier,
    redirectToAuthorization: async (url) => {
      asked.push(url);
      back = await signIn(url, { user, back: redirect });
    },
  };
}
