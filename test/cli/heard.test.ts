/** A revocation that was heard once: who starts again while the registry cannot be asked is still refused. */
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Api } from '../../cli/api.ts';
import type { Context } from '../../cli/command.ts';
import { remembering, rememberStates } from '../../cli/heard.ts';
import { openHome } from '../../cli/home.ts';
import type { OpenedProject } from '../../cli/project.ts';
import { refusedToday } from '../../cli/refused.ts';
import { LockkeeperError } from '../../schemas/errors.ts';
import type { RevocationEvent } from '../../schemas/revocation.ts';
import { tempDir } from '../helpers/session.ts';
import { until } from '../helpers/wait.ts';

const registry = 'https://registry.acme.test';
const digest = `sha256:${'a'.repeat(64)}` as const;
const WEATHER = { server: 'acme.tools/weather', version: '1.0.0' };
const DOCS = { server: 'acme.tools/docs', version: '2.0.0' };
const entries = new Map([
  ['weather', { entry: WEATHER }],
  ['docs', { entry: DOCS }],
]);
const event = (change: Partial<RevocationEvent> = {}): RevocationEvent => ({
  ...{ id: 1, ...WEATHER, closureDigest: digest, reason: 'posts what it reads', revokedBy: 'alice' },
  ...{ at: '2026-11-24T12:00:00.000Z', signedBy: null, digest, envelope: null, ...change },
});

function machine() {
  const said: string[] = [];
  const home = openHome(tempDir());
  const say = (line: string): void => void said.push(line);
  const context = { home, say, now: () => new Date() } as unknown as Context;
  const opened = { intent: { registry }, verified: { entries, lock: { servers: {} } } };
  const refused = async (api: Api | null) => [
    ...(await refusedToday(context, api, opened as unknown as OpenedProject)),
  ];
  return { home, said, refused, place: { home, registry, say } };
}

/** A registry that does not answer. */
const SILENT = {
  within: () => ({
    call: async () => {
      throw new LockkeeperError('REGISTRY_UNREACHABLE', { expected: 'an answer', found: 'none', next: '-' });
    },
  }),
} as unknown as Api;

describe('a revocation that was heard', () => {
  it.each([
    ['without a sign-in', null],
    ['while the registry is silent', SILENT],
  ])('is remembered: %s that one is refused, and its neighbour is not', async (_, api) => {
    const { place, refused, home } = machine();
    const over = new AbortController();
    const taken: unknown[] = [];
    const events = [event(), event({ version: '0.9.0' }), { no: 'event' }, event({ ...DOCS })];
    const source = { subscribe: (_s: string, take: (one: unknown) => void) => events.forEach(take) };
    remembering(source, place).subscribe(WEATHER.server, (one) => taken.push(one), over.signal);
    expect(taken).toEqual(events);
    await until(async () => (await home.revokedBefore(registry, WEATHER)) !== null);
    const [[alias, error] = [], ...others] = await refused(api);
    expect([alias, others]).toEqual(['weather', []]);
    expect(error).toMatchObject({ code: 'RELEASE_REVOKED', found: expect.stringContaining('by alice') });
    expect(error?.found).toContain('heard before');
  });

  it('is also what the registry answered when it was asked; what is only not approved is not', async () => {
    const { place, refused, home } = machine();
    const states = new Map([
      ['acme.tools/weather@1.0.0', 'revoked'],
      ['acme.tools/docs@2.0.0', 'in-review'],
    ]);
    rememberStates(entries, states, place);
    await until(async () => (await home.revokedBefore(registry, WEATHER)) !== null);
    expect((await refused(null)).map(([alias]) => alias)).toEqual(['weather']);
  });

  it('with a reason of any characters is read again, and what cannot be read refuses no neighbour', async () => {
    const { place, refused, home } = machine();
    const over = new AbortController();
    const reason = `${'\u202e\u0001'.repeat(70)}${'\u{1f525}'.repeat(400)}`;
    const source = {
      subscribe: (_server: string, take: (one: unknown) => void) => take(event({ reason })),
    };
    remembering(source, place).subscribe(WEATHER.server, () => undefined, over.signal);
    const seen = join(home.dir, 'seen');
    await until(() => existsSync(seen) && readdirSync(seen).some((name) => name.endsWith('.json')));
    expect((await refused(null)).map(([alias, { code }]) => [alias, code])).toEqual([
      ['weather', 'RELEASE_REVOKED'],
    ]);
    for (const name of readdirSync(seen)) writeFileSync(join(seen, name), '{');
    expect((await refused(null)).map(([alias, { code }]) => [alias, code])).toEqual([
      ['weather', 'DOCUMENT_INVALID'],
    ]);
  });

  it('is one of so many that a registry announces, and no more are kept', async () => {
    const { home, place } = machine();
    const kept: string[] = [];
    const heardRevoked = async (_registry: string, { version }: { version: string }): Promise<void> =>
      void kept.push(version);
    const source = {
      subscribe: (_server: string, take: (one: unknown) => void) => {
        for (let n = 0; n < 10_001; n++) take(event({ version: `1.0.${n}` }));
      },
    };
    const over = new AbortController();
    let told = 0;
    const counting = remembering(source, { ...place, home: { ...home, heardRevoked } });
    counting.subscribe(WEATHER.server, () => void told++, over.signal);
    expect([kept.length, told]).toEqual([10_000, 10_001]);
  });

  it('is of one registry, and nothing where none was', async () => {
    const { home, refused } = machine();
    await home.heardRevoked('https://other.acme.test', { ...WEATHER, said: 'it was revoked' });
    expect(await refused(null)).toEqual([]);
    await home.heardRevoked(`${registry}/`, { ...WEATHER, said: 'it was revoked' });
    expect(await refused(null)).toHaveLength(1);
  });
});
