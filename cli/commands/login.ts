import { openRoot } from '../../runtime/trust/root.ts';
import { TokenView } from '../../schemas/api.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { TrustView } from '../../schemas/keys.ts';
import { openApi } from '../api.ts';
import { type Command, required } from '../command.ts';

export const login: Command = {
  summary: 'sign in to a registry with a one-time code and pin its root of trust',
  words: 'URL --code CODE',
  options: { code: { type: 'string' }, 'root-key': { type: 'string' } },
  optionHelp: {
    code: 'the one-time code that the registry or an administrator gave you',
    'root-key': 'expected id of the root key, told to you by another way; refuses any other',
  },
  examples: [
    'lk login http://127.0.0.1:7411 --code 7fkq-mq9x-2zab-hj3c-w8r5-ty6n',
    'lk login https://lockkeeper.example --code CODE --root-key sha256:4f0c…',
  ],
  arity: [1, 1],
  async run(context, [url = ''], values) {
    if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
      throw new LockkeeperError('USAGE', {
        expected: 'an http or https address of a registry',
        found: quote(url),
        next: 'See: lk login --help',
      });
    }
    const api = openApi(url, null);
    const code = required(values, 'code', 'the one-time code');
    const trust = await api.call('trust', TrustView);
    const expected = values['root-key'];
    if (typeof expected === 'string' && !trust.rootKeys.includes(expected)) {
      throw new LockkeeperError('ROOT_UNTRUSTED', {
        expected: `the root key ${expected}`,
        found: trust.rootKeys.join(', ') || 'none',
        next: 'Do not sign in here: this is another registry than the one you were told of',
      });
    }
    openRoot(trust, trust, context.now());
    const token = await api.call('signIn', TokenView, { body: { code } });
    await context.home.remember({
      registry: api.registry,
      person: token.person,
      token: token.token,
      expires: token.expires,
      rootKeys: trust.rootKeys,
      threshold: trust.threshold,
    });
    const data = {
      registry: api.registry,
      person: token.person,
      roles: token.roles,
      expires: token.expires,
      rootKeys: trust.rootKeys,
      trial: trust.trial,
    };
    const warning = trust.trial
      ? `\n${context.paint.yellow('This registry is a TRIAL: one approval is enough here.')}`
      : '';
    return {
      data,
      text: `Signed in to ${api.registry} as ${context.paint.bold(token.person)} (${token.roles.join(', ')}) until ${token.expires}.\nPinned its root key:\n${trust.rootKeys.map((id) => `  ${id}`).join('\n')}${warning}`,
    };
  },
};
