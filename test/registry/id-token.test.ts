/** An ID token and what the provider says beside it, together. */
import { expect, it } from 'vitest';
import { withUserinfo } from '../../registry/oidc/id-token.ts';
import type { JsonObject } from '../../schemas/common.ts';

const [ada, eve] = [{ email: 'ada@acme.test' }, { email: 'eve@acme.test' }];
const yes = { email_verified: true };

it.each<[string, JsonObject, JsonObject, JsonObject]>([
  ['an address and its word beside it', ada, { ...ada, ...yes }, { ...ada, ...yes }],
  ['an address beside another that was verified', ada, { ...eve, ...yes }, ada],
  ['an address beside a word of none', ada, yes, ada],
  ['a word of no address beside one', yes, eve, eve],
  ['no address beside one that was verified', {}, { ...ada, ...yes }, { ...ada, ...yes }],
  [
    'its own word, which goes first',
    { ...ada, email_verified: false },
    { ...ada, ...yes },
    { ...ada, email_verified: false },
  ],
])('%s', (_, claims, said, expected) => {
  const vouched = { issuer: 'https://id.acme.test', subject: 's', claims };
  expect(withUserinfo(vouched, { sub: 's', ...said }).claims).toEqual({ sub: 's', ...expected });
});
