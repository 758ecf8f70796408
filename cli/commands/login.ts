import { openRoot, pinOfRoot, readRoot } from '../../runtime/trust/root.ts';
import { TokenView } from '../../schemas/api.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { type Api, openApi } from '../api.ts';
import {
  type Command,
  type Context,
  flag,
  list,
  option,
  type Result,
  text,
  type Values,
} from '../command.ts';
import { minute } from '../output.ts';
import { askRoots, assertToday, type Today } from '../roots.ts';
import { SERVER_OPTIONS, signInToServer } from '../server-sign-in.ts';
import { signInByProvider } from '../sign-in.ts';

export const login: Command = {
  summary: 'sign in to a registry and pin its root of trust',
  words: 'URL [--code CODE] | --server ALIAS --issuer URL',
  options: {
    code: option.text(
      'the one-time code that the registry or an administrator gave you (default: its identity provider is asked)',
    ),
    'no-browser': option.flag(
      'open no browser: by a code that is typed in one elsewhere, where the provider lets people in so',
    ),
    'root-key': option.list(
      'id of a root key, told to you by another way; refuses any other root; repeat for each',
    ),
    'new-root': option.flag(
      'the registry was rebuilt on purpose: forget the roots and locks that this machine believed of it',
    ),
    ...SERVER_OPTIONS,
  },
  examples: [
    'lk login https://lockkeeper.example',
    'lk login http://127.0.0.1:7411 --code 7fkq-mq9x-2zab-hj3c-w8r5-ty6n',
    'lk login https://lockkeeper.example --code CODE --root-key sha256:4f0c…',
    'lk login --server tickets --issuer https://login.tickets.example',
  ],
  arity: [0, 1],
  async run(context, [url], values) {
    const server = text(values, 'server');
    if (server !== undefined && url === undefined) return signInToServer(context, server, values);
    assertOne(url, values);
    return signInToRegistry(context, url, values);
  },
};

async function signInToRegistry(context: Context, url: string, values: Values): Promise<Result> {
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw new LockkeeperError('USAGE', {
      expected: 'an http or https address of a registry',
      found: quote(url),
      next: /^[\w.-]+(?::\d+)?(?:\/|$)/.test(url)
        ? `Such as: lk login https://${url}`
        : 'See: lk login --help',
    });
  }
  const api = openApi(url, null);
  const today = await rootOf(context, api, values);
  const { rootKeys, threshold } = pinOfRoot(today.trusted.root);
  const { trial } = today.trusted.root;
  const token = await tokenOf(context, api, values);
  // Only now are the roots of before forgotten, where that is what was asked for.
  if (flag(values, 'new-root')) await context.home.beganRoots(api.registry, today, context.now());
  else await context.home.sawRoots(api.registry, today, context.now());
  await context.home.remember({
    registry: api.registry,
    person: token.person,
    token: token.token,
    expires: token.expires,
    rootKeys,
    threshold,
  });
  const data = {
    registry: api.registry,
    person: token.person,
    roles: token.roles,
    expires: token.expires,
    rootKeys,
    trial,
  };
  const warning = trial
    ? `\n${context.paint.yellow('This registry is a TRIAL: one approval is enough here.')}`
    : '';
  return {
    data,
    text: `Signed in to ${api.registry} as ${context.paint.bold(token.person)} (${token.roles.join(', ')}) until ${minute(token.expires)} UTC.\nPinned its root key:\n${rootKeys.map((id) => `  ${id}`).join('\n')}${warning}${nextFor(token.roles)}`,
  };
}

/** A registry or a server of the lock; what is for the one is not for the other. */
function assertOne(url: string | undefined, values: Values): asserts url is string {
  const beside = Object.keys(SERVER_OPTIONS).filter((name) => values[name] !== undefined);
  if (url !== undefined && beside.length === 0) return;
  throw new LockkeeperError('USAGE', {
    expected: 'lk login with the address of a registry, or with --server and the name of a locked server',
    found: url === undefined ? 'neither' : `an address and --${beside[0]}`,
    next: 'See: lk login --help',
  });
}

function tokenOf(context: Context, api: Api, values: Values): Promise<TokenView> {
  const code = text(values, 'code');
  if (code !== undefined) return api.call('signIn', TokenView, { body: { code } });
  return signInByProvider(context, api, { browser: !flag(values, 'no-browser') });
}

/** What comes next for whoever signs in for the first time; nothing for those whose work has no first step. */
function nextFor(roles: readonly string[]): string {
  if (roles.includes('admin')) return '\nNext: lk people add NAME --roles reviewer, for two people at least';
  return roles.includes('reviewer') ? '\nNext, once: lk keys new, and lk keys enrol' : '';
}

/**
 * The root to pin: one that the keys told by another way signed, if any were, and that goes on from what this machine
 * believed before. What is pinned stands in the verified root, never in the answer around it.
 */
async function rootOf(context: Context, api: Api, values: Values): Promise<Today> {
  const told = list(values, 'root-key');
  const memory = flag(values, 'new-root') ? null : await context.home.roots(api.registry);
  const before = memory ? pinOfRoot(readRoot(memory.newest).root) : null;
  const { root, rootChain } = await askRoots(api, told.length > 0 ? told : (before?.rootKeys ?? []));
  const evidence = { root, rootChain };
  const shown = pinOfRoot(readRoot(root).root);
  const pin = told.length > 0 ? { rootKeys: told, threshold: told.length } : (before ?? shown);
  const trusted = openRoot(evidence, pin, context.now());
  return { ...(await assertToday({ evidence, trusted }, memory, api)), trusted };
}
