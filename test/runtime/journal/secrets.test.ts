import { describe, expect, it } from 'vitest';
import { namedData, redact, redactText } from '../../../runtime/journal/redact.ts';
import { summaryOf } from '../../../runtime/journal/summary.ts';
import { parseMessage, type Response } from '../../../runtime/wire/message.ts';
import { ResultSummary } from '../../../schemas/audit.ts';
import type { Json } from '../../../schemas/common.ts';
import { isValid } from '../../../schemas/validate.ts';
import { TOKENS } from '../../helpers/tokens.ts';
import { processorMs } from '../../helpers/wait.ts';

const key = Buffer.alloc(32, 7);
const kept = (value: Json): string => JSON.stringify(redact(value, key).kept);
const tokens = Object.entries(TOKENS);
const answer = (result: Json): Response =>
  parseMessage(
    Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: 1, result })),
    false,
    Number.POSITIVE_INFINITY,
  ) as Response;

describe('a secret that its form gives away', () => {
  it.each(tokens)('%s stays in no argument, name, sentence or address', (_, secret) => {
    for (const value of [
      { note: secret },
      { note: `use ${secret} for it` },
      { list: ['a', `x ${secret}`] },
      { [secret]: 1 },
      { deep: { er: [{ url: `https://a.example/?q=${secret}` }] } },
    ]) {
      expect(kept(value)).not.toContain(secret);
      expect(kept(value)).toContain('hmac-sha256');
      expect(namedData(redact(value, key).whole).join()).not.toContain(secret);
    }
    expect(redactText(`found "${secret}"`, key)).not.toContain(secret);
  });
});

describe('two names', () => {
  const entries = (value: Json): [string, unknown][] => Object.entries(redact(value, key).kept as object);

  it('stay two where one of them is the mark that the other is shown as', () => {
    const name = `file of ghp_${'a1'.repeat(18)}`;
    const mark = redactText(name, key);
    expect(mark).not.toBe(name);
    for (const value of [
      { [name]: 'rm -rf /', [mark]: 'ls' },
      { [mark]: 'ls', [name]: 'rm -rf /' },
    ]) {
      const shown = entries(value);
      expect(shown).toHaveLength(2);
      expect(shown.map(([, each]) => each)).toContain('rm -rf /');
      expect(JSON.stringify(shown)).not.toContain('a1a1');
    }
  });

  it('stay two where they are cut alike', () => {
    const long = 'n'.repeat(2000);
    expect(entries({ [`${long}a`]: 1, [`${long}b`]: 2 }).map(([, each]) => each)).toEqual([1, 2]);
  });
});

describe('what stands beside a secret', () => {
  const [, token = ''] = tokens.find(([name]) => /github/i.test(name)) ?? tokens[0] ?? [];
  const [, mark = ''] = /(\[secret .*\])/.exec(redactText(token, key)) ?? [];
  it.each([
    ['a command', `rm -rf /srv/of/customers/2024 # ${token}`, `rm -rf /srv/of/customers/2024 # ${mark}`],
    ['a statement', `DROP TABLE users; -- '${token}' "${token}"`, `DROP TABLE users; -- '${mark}' "${mark}"`],
    ['what is written in codes', `rm -rf / # %67${token.slice(1)} &amp; x`, 'rm -rf / # [secret'],
    ['a key', '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY----- and rm x', ' and rm x'],
    ['a header', `curl -H "Authorization: Bearer abcdefgh12345" https://a.example/`, 'https://a.example/'],
  ])('%s is shown', (_, text, expected) => {
    const shown = redactText(text, key);
    expect(shown).toContain(expected);
    expect(shown).not.toMatch(/AAAA|abcdefgh/);
    expect(shown).not.toContain(token.slice(1));
  });

  it('is not where it may be the other half, nor behind a key that does not end', () => {
    const half = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEX';
    expect(redactText(`set ${token} ${half}`, key)).toMatch(/^set \[secret [^\]]*\] \[secret [^\]]*\]$/);
    expect(redactText('a -----BEGIN RSA PRIVATE KEY-----\nAAAA\nBBBB', key)).toMatch(/^a \[secret [^\]]*\]$/);
  });
});

describe('a secret that its name gives away', () => {
  const secret = 'correct-Horse7';
  it.each<[string, Json]>([
    ['a variable', { env: [`DB_PASSWORD=${secret}`] }],
    ['an option with its value', { args: [`--api-key=${secret}`] }],
    ['an option before its value', { args: ['run', '--password', secret] }],
    ['a command line', { command: `mysql --password ${secret} -h db` }],
    ['a command line with quotes', { command: `deploy --token "two words ${secret}" now` }],
    ['a header in a list', { headers: [`Authorization: Bearer ${secret}`] }],
    ['a header of another scheme', { headers: [`Authorization: Token ${secret}`] }],
    ['a query', { url: `https://a.example/x?page=2&access_token=${secret}&z=1` }],
    ['a signed address', { url: `https://a.example/x?X-Amz-Signature=${secret}` }],
    ['a fragment', { url: `https://a.example/#id_token=${secret}` }],
    ['an address inside of a sentence', { text: `clone https://me:${secret}@git.example/r.git please` }],
    ['JSON in a string', { body: `{"user":"a","password":"${secret}"}` }],
    ['JSON in JSON in a string', { body: JSON.stringify(JSON.stringify({ client_secret: secret })) }],
    ['YAML', { file: `db:\n  password: ${secret}\n  port: 5432` }],
    ['a name and its value in a list', { headers: [['X-Api-Key', secret]] }],
    ['a header and its value', { headers: [{ header: 'Authorization', value: secret }] }],
    ['a password said again', { passwordConfirmation: secret }],
    ['several passwords', { passwords: [secret] }],
    ['a short name behind another', { db_pwd: secret }],
    [
      'a query inside of a query',
      { url: `https://a.example/?to=https%3A%2F%2Fb.example%2F%3Ftoken%3D${secret}%26z%3D1` },
    ],
    ['a query coded twice', { url: `https://a.example/?to=%252Fx%253Ftoken%253D${secret}%2526z%253D1` }],
    ['JSON in a query', { url: `https://a.example/?q=%7B%22password%22%3A%22${secret}%22%7D` }],
    ['JSON in a query, coded twice', { url: `a?q=%257b%2522password%2522%253a%2522${secret}%2522%257d` }],
    ['a member with a name in codes', { 'api%5Fkey': secret, x: [{ name: 'pass%2577ord', value: secret }] }],
    ['a name in codes', { body: `x=1&p%61ss%77ord=${secret}` }],
    ['an address in a query', { url: `https://a.example/?to=https%3A%2F%2Fme%3A${secret}%40b.example%2F` }],
    ['JSON in HTML', { body: `<p data-x="{&quot;token&quot;:&quot;${secret}&quot;}">` }],
    ['references by number', { body: `&#34;token&#34;&#58;&#34;${secret}&#34; &#x22;` }],
    ['references by number, base 16', { body: `token&#x3D;${secret}` }],
    ['escapes of JSON', { body: `{"a":"token\\u003d${secret}"}` }],
    [
      'JSON in JSON in JSON in a string',
      { body: JSON.stringify(JSON.stringify(JSON.stringify({ token: secret }))) },
    ],
    ['HTML in a query', { url: `a?q=token%26equals%3B${secret}` }],
    ['a header in a query', { url: `a?h=Authorization%3A%20Bearer%20${secret}` }],
    ['a connection string', { dsn: `Server=db;AccountKey=${secret};Port=1` }],
  ])('%s', (_, value) => {
    expect(kept(value)).not.toContain(secret);
    expect(kept(value)).toContain('hmac-sha256');
    expect(namedData(redact(value, key).whole).join()).not.toContain(secret);
  });

  it('leaves what stands around it, so that the record still tells what was done', () => {
    expect(kept({ url: 'https://a.example/x?page=2&access_token=abc&z=1' })).toMatch(
      /https:\/\/a\.example\/x\?page=2&access_token=\[secret hmac-sha256:[0-9a-f]{32}\]&z=1/,
    );
  });

  it('leaves as much of a text in codes, with the same mark for the same secret', () => {
    const [, mark = ''] = /(\[secret .*\])/.exec(redactText('token=abc', key)) ?? [];
    const url = (secret: string): string =>
      `https://a.example/?page=2&to=%2Fx%3Ftoken%3D${secret}%26z%3D1&q=%41`;
    expect(redactText(url('abc'), key)).toBe(url(mark));
    expect(redactText(`&quot;p&#97;ss&quot;&colon; abc &amp; token=abc`, key)).toBe(
      `&quot;p&#97;ss&quot;&colon; ${mark} &amp; token=${mark}`,
    );
  });

  it.each([
    'SELECT id FROM users WHERE name = 3',
    'https://a.example/path?q=secretary&page=2',
    'read --depth 3 /srv/x',
    'task-list-of-everything-in-this-project',
    'a=b; c: d',
    'https://a.example/?q=100%25%20of%3Dit&amp;page%3D2 &bogus; \\u0041 %e4%b8%80 %',
  ])('takes nothing from %s', (text) => {
    expect(redactText(text, key)).toBe(text);
  });
});

describe('the work of hiding', () => {
  it.each<[string, string]>([
    ['one long word', 'a'.repeat(4_000_000)],
    ['many short ones', 'a-b '.repeat(1_000_000)],
    ['openings of names', 'a="'.repeat(1_000_000)],
    ['openings of options', '--a '.repeat(1_000_000)],
    ['openings of addresses', 'a://'.repeat(1_000_000)],
    ['openings of forms', 'eyJaaaaaaaa.'.repeat(300_000)],
    ['beginnings of web tokens in one word', 'eyJaaaaaaaa-'.repeat(90_000)],
    ['many secrets of a form', `sk-${'a'.repeat(16)} `.repeat(200_000)],
    ['long words beside one', `sk-${'a'.repeat(16)} ${'a'.repeat(4_000_000)}`],
    ['words beside one', `sk-${'a'.repeat(16)} ${`${'a'.repeat(16)}1 `.repeat(200_000)}`],
    ['names of secrets', 'token='.repeat(600_000)],
    ['codes within codes', '%25'.repeat(1_300_000)],
    ['names of secrets in codes', 'token%3D'.repeat(500_000)],
    ['names of secrets in codes, with values', 'token%3Da%26'.repeat(300_000)],
    ['openings of codes', '&#'.repeat(2_000_000)],
    ['many zeros', '&#0000000'.repeat(400_000)],
    ['backslashes', '\\\\'.repeat(2_000_000)],
  ])('is bounded for %s', (_, text) => {
    const spent = processorMs();
    redact({ text }, key);
    expect(spent()).toBeLessThan(5000);
  });

  it('keeps a bounded record of whatever was sent', () => {
    const list = Array.from({ length: 200_000 }, (_, i) => ({ [`k${i}`]: 'x'.repeat(20) }));
    expect(kept(list).length).toBeLessThan(300_000);
    expect(kept({ ['n'.repeat(5_000_000)]: 1 }).length).toBeLessThan(5000);
    expect(kept(list)).toContain('more)');
  });
});

describe('the summary of an answer', () => {
  it('tells kinds, sizes, names and digests, and none of the text', () => {
    const summary = summaryOf(
      answer({
        isError: true,
        content: [
          { type: 'text', text: 'the salary is 9' },
          { type: 'text', text: 'and more' },
          { type: 'image', data: 'AAAABBBB', mimeType: 'image/png' },
          { type: 'resource_link', uri: 'file:///srv/pay.csv', name: 'salaries' },
          { type: 'resource', resource: { uri: 'note://7', text: 'salary' } },
          { type: 'the salary is 9', text: 'x' },
        ],
        structuredContent: { salary: 9 },
      }),
      key,
    );
    expect(summary).toEqual({
      digest: expect.stringMatching(/^hmac-sha256:[0-9a-f]{64}$/),
      isError: true,
      content: {
        text: { items: 2, size: 23 },
        image: { items: 1, size: 6 },
        resource_link: { items: 1, size: 0 },
        resource: { items: 1, size: 6 },
        other: { items: 1, size: 1 },
      },
      resources: ['file:///srv/pay.csv', 'note://7'],
      structured: expect.stringMatching(/^hmac-sha256:[0-9a-f]{64}$/),
    });
    expect(JSON.stringify(summary)).not.toContain('salar');
    expect(isValid(ResultSummary, summary)).toBe(true);
  });

  it.each<[string, Json, object]>([
    ['a list', { tools: [{}, {}], nextCursor: 'x' }, { lists: { tools: 2 } }],
    [
      'a resource',
      { contents: [{ uri: 'note://1', blob: 'AAAA' }] },
      { content: { resource: { items: 1, size: 3 } }, resources: ['note://1'] },
    ],
    [
      'a prompt',
      { messages: [{ role: 'user', content: { type: 'text', text: 'abc' } }, 7] },
      { content: { text: { items: 1, size: 3 }, other: { items: 1, size: 0 } } },
    ],
    [
      'a sampled message',
      { content: { type: 'text', text: 'ab' } },
      { content: { text: { items: 1, size: 2 } } },
    ],
    ['nothing', {}, {}],
    ['no object', 7, {}],
  ])('of %s', (_, result, rest) => {
    expect(summaryOf(answer(result), key)).toEqual({ digest: expect.any(String), ...rest });
  });

  it('of an error is its code, not its words', () => {
    const error = { code: -32000, message: 'password hunter2', data: { x: 'hunter2' } };
    const bytes = Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: 1, error }));
    const summary = summaryOf(parseMessage(bytes) as Response, key);
    expect(summary).toEqual({ digest: expect.any(String), errorCode: -32000 });
  });

  it('gives equal digests for equal structured content, whatever its order, and other ones under another key', () => {
    const of = (value: Json, by = key): string | undefined =>
      summaryOf(answer({ structuredContent: value }), by).structured;
    expect(of({ a: 1, b: 2 })).toBe(of({ b: 2, a: 1 }));
    expect(of({ a: 1 })).not.toBe(of({ a: 2 }));
    expect(of({ a: 1 })).not.toBe(of({ a: 1 }, Buffer.alloc(32, 8)));
  });

  it.each(tokens)('hides %s in the names that it keeps', (_, secret) => {
    for (const uri of [`https://a.example/${secret}`, `${'x'.repeat(280)}:${secret}`]) {
      const links = [{ type: 'resource_link', uri }];
      const summary = summaryOf(answer({ content: links }), key);
      expect(summary.resources).toHaveLength(1);
      expect(JSON.stringify(summary)).not.toContain(secret.slice(0, 16));
    }
  });

  it('is bounded, whatever the server sends', () => {
    const content = Array.from({ length: 100_000 }, (_, i) => ({
      type: 'resource_link',
      uri: `x://${i}/${'y'.repeat(200)}`,
    }));
    const summary = summaryOf(answer({ content }), key);
    expect(JSON.stringify(summary).length).toBeLessThan(20_000);
    expect(summary.content?.resource_link?.items).toBe(1000);
    expect(summary.content?.other?.items).toBe(99_000);
    expect(isValid(ResultSummary, summary)).toBe(true);
  });
});
