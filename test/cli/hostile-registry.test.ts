/** Verbs that pin or hand on what a registry says of its roots, where somebody else answers in its place. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openApi } from '../../cli/api.ts';
import type { Context, Values } from '../../cli/command.ts';
import { log } from '../../cli/commands/log.ts';
import { login } from '../../cli/commands/login.ts';
import { root as rootCommand } from '../../cli/commands/root.ts';
import { token } from '../../cli/commands/token.ts';
import { loadCliConfig } from '../../cli/config.ts';
import { type Home, openHome } from '../../cli/home.ts';
import { makePaint } from '../../cli/output.ts';
import { signInByProvider } from '../../cli/sign-in.ts';
import { openRoot, pinOfRoot, type RootPin, readRoot } from '../../runtime/trust/root.ts';
import type { Envelope } from '../../schemas/dsse.ts';
import { HOLDERS, pin as holdersPin, online, rita, ron, rootOf, ruth, sam, sue } from '../attack/roots.ts';
import { tempDir } from '../helpers/session.ts';
import { at, NOW, people } from '../helpers/trust.ts';

const onlinePin: RootPin = { rootKeys: [online.keyid], threshold: 1 };
const own = rootOf(1, [online], [online]);
const taken = rootOf(2, HOLDERS, [online, rita, ron]);
const third = rootOf(3, [ruth, sam, sue], [rita, ruth, sam]);
const fourth = rootOf(4, [ruth, sam, sue], [sue, sam]);

describe('a machine whose registry is somebody else', () => {
  /** What is answered to GET /v1/trust: by the first key that is asked for. */
  let answer: (pin: string) => Envelope[];
  let registry: string;
  let home: Home;
  let failing = false;
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://r');
    const body = (): unknown => {
      if (url.pathname === '/v1/trust') {
        const chain = answer(url.searchParams.get('pin') ?? '');
        const rootChain = chain.slice(0, -1);
        const standby = { lock: '', scanner: '', log: '' };
        return { rootKeys: [], threshold: 1, trial: false, root: chain.at(-1), rootChain, standby };
      }
      const id = 'a'.repeat(43);
      if (url.pathname === '/v1/sign-in/device')
        return { id, url: 'https://sign.example/', code: 'AB\u001b[2J', interval: 1, expires: at(-48) };
      if (url.pathname === '/v1/sign-in' && request.method === 'GET')
        return { provider: { issuer: registry, device: true } };
      const expires = at(48);
      return { token: 'lk_secret', person: 'erin', roles: ['developer'], expires };
    };
    response.statusCode = failing && url.pathname !== '/v1/trust' ? 500 : 200;
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(body()));
  });
  beforeAll(async () => {
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    registry = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => void server.close());

  const context = (env: NodeJS.ProcessEnv = {}): Context => ({
    config: { ...loadCliConfig(env, false), home: home.dir },
    home,
    cwd: home.dir,
    paint: makePaint(false),
    say: () => undefined,
    progress: () => undefined,
    now: () => NOW,
    json: true,
    api: async () => openApi(registry, 'secret'),
  });
  const codeOf = (work: Promise<unknown>): Promise<string> =>
    work.then(
      () => 'ok',
      (error) => error.code ?? String(error),
    );
  const signIn = (values: Values = {}): Promise<string> =>
    codeOf(login.run(context(), [registry], { code: 'x', ...values }));
  const believed = async (...chain: Envelope[]): Promise<void> => {
    const root = chain.at(-1) ?? own;
    const evidence = { root, rootChain: chain.slice(0, -1) };
    const trusted = openRoot(evidence, pinOfRoot(readRoot(chain[0] ?? root).root), NOW);
    await home.sawRoots(registry, { evidence, trusted }, NOW);
  };
  const pinned = (pin: RootPin): Promise<void> =>
    home.remember({
      registry,
      person: 'erin',
      token: 't',
      expires: at(48),
      rootKeys: [...pin.rootKeys],
      threshold: pin.threshold,
    });

  beforeEach(() => {
    home = openHome(tempDir());
    failing = false;
  });

  it('gives a code to type that a terminal shows, and does nothing about', async () => {
    const said: string[] = [];
    const asking = { ...context(), say: (line: string) => void said.push(line) };
    const signing = signInByProvider(asking, openApi(registry, ''), { browser: false });
    expect(await codeOf(signing)).toBe('SIGN_IN_INVALID');
    expect(said.join()).toContain('type AB\\u{1b}[2J there');
  });

  describe('with the key that kept the root before', () => {
    const forged = rootOf(3, [online, people.mallory], [online, people.mallory]);
    beforeEach(async () => {
      await pinned(onlinePin);
      await believed(own, taken);
      answer = () => [forged];
    });
    it.each<[string, () => Promise<unknown>]>([
      ['lk token', () => token.run(context(), [], { roles: 'developer' })],
      ['lk keys root init', () => rootCommand.run(context(), ['init', 'next.json'], {})],
      ['lk keys root follow', () => rootCommand.run(context(), ['follow'], {})],
      ['lk log key', () => log.run(context(), ['key'], {})],
      ['lk login', () => login.run(context(), [registry], { code: 'x' })],
      [
        'lk login --root-key',
        () => login.run(context(), [registry], { code: 'x', 'root-key': onlinePin.rootKeys as string[] }),
      ],
    ])('%s takes no root of it', async (_, verb) => {
      expect(await codeOf(verb())).toMatch(/^ROOT_/);
      answer = () => [own];
      expect(await codeOf(verb())).toMatch(/^ROOT_/);
    });
  });

  it('with one of two root keys that a pipeline pinned, shows its log to no one', async () => {
    const one = rootOf(3, [rita], [rita]);
    answer = () => [one];
    const env = {
      LOCKKEEPER_TOKEN: 't',
      LOCKKEEPER_REGISTRY: registry,
      LOCKKEEPER_ROOT_KEYS: holdersPin.rootKeys.join(','),
      LOCKKEEPER_ROOT_THRESHOLD: '2',
    };
    expect(await codeOf(log.run(context(env), ['key'], {}))).toBe('ROOT_UNTRUSTED');
    answer = () => [taken];
    expect(await codeOf(log.run(context(env), ['key'], {}))).toBe('ok');
  });

  it('has its roots forgotten only by a sign-in that succeeds', async () => {
    await believed(own, taken);
    answer = () => [rootOf(1, [people.mallory], [people.mallory])];
    failing = true;
    expect(await signIn({ 'new-root': true })).not.toBe('ok');
    expect((await home.roots(registry))?.newest).toEqual(taken);
    failing = false;
    expect(await signIn()).toMatch(/^ROOT_/);
    expect(await signIn({ 'new-root': true })).toBe('ok');
    expect((await home.roots(registry))?.digests).toHaveProperty('1');
  });

  it('is told apart from one that had two changes of holders', async () => {
    await believed(own, taken);
    const all = [own, taken, third, fourth];
    answer = (pin) => all.slice(pin.includes(rita.keyid) ? 1 : pin.includes(online.keyid) ? 0 : 3);
    const told = [sam.keyid, sue.keyid];
    expect(await signIn({ 'root-key': told })).toBe('ok');
    expect((await home.roots(registry))?.newest).toEqual(fourth);
    expect((await home.signIns())[0]).toMatchObject({ threshold: 2 });
  });
});
