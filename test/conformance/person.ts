/** A person before a server of the suite that wants one: reads what is refused, and signs in as it says, twice at most. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openLoopback } from '../../cli/loopback.ts';
import { signedInCredentials } from '../../runtime/consent/credentials.ts';
import { type Person, signInTo } from '../../runtime/consent/flow.ts';
import { openGrants, whereOf } from '../../runtime/consent/grants.ts';
import type { Credentials } from '../../runtime/remote/requests.ts';
import { LockkeeperError } from '../../schemas/errors.ts';
import type { RemoteLaunch } from '../../schemas/remote.ts';
import { signIn } from '../helpers/people.ts';
import { type Context, MOST_SIGN_INS } from './play.ts';

/** What the suite expects a client to have at an address of its own. */
export const DOCUMENT = 'https://conformance-test.local/client-metadata.json';

export interface Attended {
  readonly credentials: Credentials;
  /** Whether it is worth asking again after this refusal. */
  readonly again: () => Promise<boolean>;
}

const ANSWER_MS = 10_000;

/** The runtime's own sign-in, store and credentials; of `lk login --server`, all but the words of its command line. */
export function attendedBy(launch: RemoteLaunch, context: Context, document: boolean): Attended {
  const registry = 'https://lockkeeper.example';
  const grants = openGrants(join(mkdtempSync(join(tmpdir(), 'lk-person-')), 'server-sign-ins.json'));
  const now = (): Date => new Date();
  const shown = signedInCredentials({ grants, registry, launch, alias: 'suite', now });
  let refused: LockkeeperError | null = null;
  let count = 0;
  const login = async (scopes: readonly string[], issuer?: string): Promise<void> => {
    const [id, secret] = document ? [DOCUMENT, undefined] : [context.client_id, context.client_secret];
    const client = id === undefined ? undefined : { id, ...(secret === undefined ? {} : { secret }) };
    const wish = {
      registry,
      launch,
      issuer,
      scopes,
      client,
      now,
      ca: undefined,
      record: async () => undefined,
    };
    await grants.keep(await signInTo({ ...wish, held: await grants.of(whereOf(registry, launch)), open }));
  };
  /** As a refusal says: first that nobody allowed the one that the server names, then with it allowed. */
  const allowing = async (scopes: readonly string[]): Promise<void> => {
    const error = await login(scopes).catch((thrown: unknown) => thrown);
    const [, issuer] = /--issuer ([^\s;]+)/.exec(error instanceof LockkeeperError ? error.next : '') ?? [];
    if (issuer === undefined) throw error;
    await login(scopes, issuer);
  };
  return {
    credentials: {
      ...shown,
      refusal: (reply) => {
        refused = shown.refusal?.(reply) ?? null;
        return (
          refused ?? new LockkeeperError('INTERNAL', { expected: 'a refusal', found: 'none', next: 'Look' })
        );
      },
    },
    again: async () => {
      const error = refused;
      refused = null;
      if (error?.code !== 'SIGN_IN_NEEDED' || count++ === MOST_SIGN_INS) return false;
      await allowing(
        [...error.message.matchAll(/--scope (\S+?)(?=[\s.]+(?:-|[A-Z]|$))/g)].map(([, one = '']) => one),
      );
      return true;
    },
  };
}

async function open(state: string): Promise<Person> {
  const loopback = await openLoopback(state);
  const { redirect } = loopback;
  return {
    redirect,
    close: () => loopback.close(),
    ask: async (url) => {
      await fetch(await signIn(new URL(url), { user: 'erin', back: redirect }));
      return loopback.wait(ANSWER_MS);
    },
  };
}
