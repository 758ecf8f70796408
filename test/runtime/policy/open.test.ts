import { describe, expect, it } from 'vitest';
import type { Caller } from '../../../runtime/gate/caller.ts';
import { openPolicy } from '../../../runtime/policy/open.ts';
import { LockkeeperError } from '../../../schemas/errors.ts';
import type { ToolLabels } from '../../../schemas/release.ts';
import type { Section } from '../../../schemas/surface.ts';
import { callerOf, callOf, effectOf, entriesWith, policyOf, sourceOf } from '../../helpers/policy.ts';

const TEAMS = `team interns = ada@example.com
team contractors = bob@example.com
team marketing = eve@example.com
team admins = root@example.com
team devs = as signed in
`;
const READY = `${TEAMS}
everyone: all locked tools
interns: no write tools
contractors: not the docs server
marketing: not the code server
admins: ask one person before destructive tools
`;

describe('ready lines', () => {
  it.each([
    ['ada@example.com', 'docs/search', 'allow'],
    ['ada@example.com', 'docs/edit', 'deny'],
    ['ada@example.com', 'code/shell', 'deny'],
    ['ada@example.com', 'web/search', 'deny'],
    ['bob@example.com', 'docs/search', 'deny'],
    ['bob@example.com', 'web/search', 'allow'],
    ['bob@example.com', 'code/remove', 'allow'],
    ['eve@example.com', 'code/read', 'deny'],
    ['eve@example.com', 'docs/edit', 'allow'],
    ['root@example.com', 'code/remove', 'ask'],
    ['root@example.com', 'code/shell', 'ask'],
    ['root@example.com', 'docs/edit', 'allow'],
    ['dan@example.com', 'code/remove', 'allow'],
    ['dan@example.com', 'code/nothing', 'deny'],
    ['dan@example.com', 'other/search', 'deny'],
  ])('%s calls %s: %s', (user, name, effect) => {
    expect(effectOf(policyOf(READY), user, name)).toBe(effect);
  });

  it('permit nothing where there are none', () => {
    expect(policyOf('').judge(callOf('ada@example.com', 'docs/search'))).toEqual({
      effect: 'deny',
      rule: 'default: no line permits it',
    });
  });

  it('name the line that decided', () => {
    const policy = policyOf(READY);
    expect(policy.judge(callOf('ada@example.com', 'docs/edit')).rule).toBe('line 8: interns: no write tools');
    expect(policy.judge(callOf('ada@example.com', 'docs/search')).rule).toBe(
      'line 7: everyone: all locked tools',
    );
    expect(policy.judge(callOf('root@example.com', 'code/remove'))).toEqual({
      effect: 'ask',
      rule: 'line 11: admins: ask one person before destructive tools',
      people: 1,
      minutes: 15,
    });
  });

  it('take two people where one line asks one and another two, for the shorter time', () => {
    const policy = policyOf(
      'everyone: all locked tools\neveryone: ask one person before destructive tools, within 5 minutes\neveryone: ask two people before tool shell of the code server',
    );
    expect(policy.judge(callOf('a@b.c', 'code/shell'))).toMatchObject({
      effect: 'ask',
      people: 2,
      minutes: 5,
    });
  });

  it('ask nobody about what is forbidden or not permitted', () => {
    const asking = 'everyone: ask one person before all locked tools';
    expect(effectOf(policyOf(asking), 'a@b.c', 'code/read')).toBe('deny');
    const both = `everyone: all locked tools\n${asking}\neveryone: not the code server`;
    expect(effectOf(policyOf(both), 'a@b.c', 'code/read')).toBe('deny');
    expect(effectOf(policyOf(both), 'a@b.c', 'docs/search')).toBe('ask');
  });

  it('permit tools alone where they say tools, and all of a server where they name it', () => {
    const see = (text: string, kind: 'prompts' | 'resources' | 'resourceTemplates', name: string): string =>
      policyOf(text).canSee(callerOf('a@b.c'), { server: 'docs', kind, name }).effect;
    expect(see('everyone: all locked tools', 'prompts', 'summary')).toBe('deny');
    expect(see('everyone: the docs server', 'prompts', 'summary')).toBe('allow');
    expect(see('everyone: the docs server', 'resourceTemplates', 'docs://{page}')).toBe('allow');
    expect(see('everyone: everything locked', 'resources', 'docs://index')).toBe('allow');
    expect(see('everyone: all prompts', 'resources', 'docs://index')).toBe('deny');
    expect(see('everyone: resource docs://index of the docs server', 'resources', 'docs://index')).toBe(
      'allow',
    );
  });

  it('open a tool of one server and not one of the same name at another', () => {
    const policy = policyOf('everyone: tool search of the docs server');
    expect(effectOf(policy, 'a@b.c', 'docs/search')).toBe('allow');
    expect(effectOf(policy, 'a@b.c', 'web/search')).toBe('deny');
  });

  it('know a server by its whole name too, and tools by more than one word', () => {
    const policy = policyOf(
      'everyone: tools read, remove and shell of the acme.tools/code server\neveryone: no read-only tools of the code and web servers',
    );
    expect(effectOf(policy, 'a@b.c', 'code/remove')).toBe('allow');
    expect(effectOf(policy, 'a@b.c', 'code/read')).toBe('deny');
  });
});

describe('who', () => {
  it('is everyone who was vouched for, and anyone besides', () => {
    const local = callerOf('local:ada', { via: 'nobody' });
    const effect = (text: string): string =>
      policyOf(text).judge(callOf('', 'docs/search', { caller: local })).effect;
    expect(effect('everyone: all locked tools')).toBe('deny');
    expect(effect('anyone: all locked tools')).toBe('allow');
    expect(effect('anyone: all locked tools\neveryone: not the docs server')).toBe('deny');
    expect(effect('user local:ada: all locked tools')).toBe('allow');
  });

  it('is in a team by the policy, or as signed in where the policy says so', () => {
    const policy = policyOf(`${TEAMS}devs, interns: all locked tools`);
    const judge = (caller: ReturnType<typeof callerOf>): string =>
      policy.judge(callOf('', 'docs/search', { caller })).effect;
    expect(judge(callerOf('x@example.com', { teams: ['devs'] }))).toBe('allow');
    expect(judge(callerOf('x@example.com', { teams: ['devs'], via: 'nobody' }))).toBe('deny');
    // whoever vouches cannot put somebody into a team whose members the policy names
    expect(judge(callerOf('x@example.com', { teams: ['interns'] }))).toBe('deny');
    expect(judge(callerOf('ada@example.com'))).toBe('allow');
  });

  it('is not mixed up by the cache: one policy, one tool, several callers', () => {
    const policy = policyOf(READY);
    for (let round = 0; round < 3; round++) {
      expect(effectOf(policy, 'ada@example.com', 'docs/edit')).toBe('deny');
      expect(effectOf(policy, 'dan@example.com', 'docs/edit')).toBe('allow');
      expect(
        policy.judge(callOf('', 'docs/edit', { caller: callerOf('dan@example.com', { via: 'nobody' }) }))
          .effect,
      ).toBe('deny');
    }
  });
});

describe('time and environment', () => {
  const at = (text: string, now: string): string =>
    policyOf(text).judge(callOf('a@b.c', 'docs/search', { now: new Date(now) })).effect;
  it.each([
    ['everyone: all locked tools, between 08:00 and 18:00', '2026-11-24T08:00:00.000Z', 'allow'],
    ['everyone: all locked tools, between 08:00 and 18:00', '2026-11-24T18:00:00.000Z', 'deny'],
    [
      'times in Europe/Berlin\neveryone: all locked tools, between 08:00 and 18:00',
      '2026-11-24T07:30:00.000Z',
      'allow',
    ],
    ['everyone: all locked tools, between 22:00 and 06:00', '2026-11-24T23:00:00.000Z', 'allow'],
    ['everyone: all locked tools, between 22:00 and 06:00', '2026-11-24T12:00:00.000Z', 'deny'],
    ['everyone: all locked tools, on weekdays', '2026-11-24T12:00:00.000Z', 'allow'],
    ['everyone: all locked tools, on monday to wednesday and friday', '2026-11-24T12:00:00.000Z', 'allow'],
    ['everyone: all locked tools, on friday to monday', '2026-11-24T12:00:00.000Z', 'deny'],
    ['everyone: all locked tools, on saturday and sunday', '2026-11-24T12:00:00.000Z', 'deny'],
    ['everyone: all locked tools, until 2026-11-24', '2026-11-24T23:59:00.000Z', 'allow'],
    ['everyone: all locked tools, until 2026-11-24', '2026-11-25T00:00:00.000Z', 'deny'],
    ['everyone: all locked tools, in development or staging', '2026-11-24T12:00:00.000Z', 'allow'],
    ['everyone: all locked tools, in production', '2026-11-24T12:00:00.000Z', 'deny'],
    [
      'everyone: all locked tools\neveryone: no write tools, in production',
      '2026-11-24T12:00:00.000Z',
      'allow',
    ],
  ])('%s at %s: %s', (text, now, effect) => {
    expect(at(text, now)).toBe(effect);
  });

  it('is looked at for every call, whatever was decided before', () => {
    const policy = policyOf('everyone: all locked tools, until 2026-11-24');
    const judge = (now: string): string =>
      policy.judge(callOf('a@b.c', 'docs/search', { now: new Date(now) })).effect;
    expect([judge('2026-11-24T12:00:00.000Z'), judge('2026-11-26T12:00:00.000Z')]).toEqual(['allow', 'deny']);
  });
});

describe('arguments', () => {
  const permit = policyOf('everyone: all locked tools, where path is below /data');
  const forbid = policyOf(
    'everyone: all locked tools\neveryone: not all locked tools, where path is below /etc',
  );
  it.each([
    ['/data/x', 'allow', 'allow'],
    ['/etc/passwd', 'deny', 'deny'],
    ['/data/../etc/passwd', 'deny', 'deny'],
    ['/data/%2e%2e/etc/passwd', 'deny', 'deny'],
    ['relative', 'deny', 'deny'],
    ['/data2/x', 'deny', 'allow'],
    [7, 'deny', 'deny'],
    [['/data/a', '/data/b'], 'allow', 'allow'],
    [['/data/a', '/etc/b'], 'deny', 'deny'],
    [undefined, 'deny', 'deny'],
  ])('%j: permitted below /data: %s; but not below /etc: %s', (path, permitted, forbidden) => {
    const args = path === undefined ? {} : { path };
    expect(effectOf(permit, 'a@b.c', 'code/read', args)).toBe(permitted);
    expect(effectOf(forbid, 'a@b.c', 'code/read', args)).toBe(forbidden);
  });

  it('never decide a second call by the first', () => {
    expect(effectOf(permit, 'a@b.c', 'code/read', { path: '/data/x' })).toBe('allow');
    expect(effectOf(permit, 'a@b.c', 'code/read', { path: '/etc/x' })).toBe('deny');
  });

  it('leave a tool to be seen as long as some arguments may pass', () => {
    const item = { server: 'code', kind: 'tools', name: 'read' } as const;
    expect(permit.canSee(callerOf('a@b.c'), item).effect).toBe('allow');
    expect(forbid.canSee(callerOf('a@b.c'), item).effect).toBe('allow');
    const asked = policyOf(
      'everyone: all locked tools\neveryone: ask one person before tool read of the code server',
    );
    expect(asked.canSee(callerOf('a@b.c'), item).effect).toBe('ask');
  });

  it('of more values than are looked at, or nested beyond reason, match no permission and every prohibition', () => {
    const many = { path: Array.from({ length: 6000 }, () => '/data/x') };
    expect(effectOf(permit, 'a@b.c', 'code/read', many)).toBe('deny');
    expect(effectOf(forbid, 'a@b.c', 'code/read', many)).toBe('deny');
  });
});

describe('annotations', () => {
  it('that are missing or vary count as the dangerous value', () => {
    const readers = policyOf('everyone: read tools');
    expect(effectOf(readers, 'a@b.c', 'code/read')).toBe('allow');
    expect(effectOf(readers, 'a@b.c', 'code/shell')).toBe('deny');
    expect(effectOf(readers, 'a@b.c', 'web/search')).toBe('deny');
    const careful = policyOf(
      'everyone: all locked tools\neveryone: no destructive tools\neveryone: no open-world tools',
    );
    expect(effectOf(careful, 'a@b.c', 'code/shell')).toBe('deny');
    expect(effectOf(careful, 'a@b.c', 'docs/edit')).toBe('allow');
    expect(effectOf(careful, 'a@b.c', 'docs/search')).toBe('deny');
  });

  it('come from the lock: without its texts a server is denied whole', () => {
    const policy = policyOf('everyone: everything locked', { surfaces: new Map() });
    expect(effectOf(policy, 'a@b.c', 'docs/search')).toBe('deny');
  });
});

describe('names of persons and teams', () => {
  const policy = policyOf(`team interns = Ada@example.com, as signed in
everyone: read tools
interns: not the docs server
user eve: not the code server
interns: tools of the code server
user bob: tools of the code server
user dan: ask one person before write tools
everyone: tools of the web server
`);
  const of = (user: string, name: string, teams: string[] = []): string =>
    policy.judge({ ...callOf(user, name), caller: callerOf(user, { teams }) }).effect;

  it('that differ by the size of letters are the same where something is refused', () => {
    for (const user of ['Ada@example.com', 'ada@example.com', 'ADA@EXAMPLE.COM'])
      expect(of(user, 'docs/search')).toBe('deny');
    for (const teams of [['interns'], ['Interns'], ['INTERNS']])
      expect(of('zoe', 'docs/search', teams)).toBe('deny');
    expect(of('zoe', 'docs/search', ['intern'])).toBe('allow');
    for (const user of ['eve', 'Eve']) expect(of(user, 'code/read')).toBe('deny');
    expect(of('evelyn', 'code/read')).toBe('allow');
    for (const user of ['dan', 'Dan']) expect(of(user, 'web/search')).toBe('ask');
  });

  it('and are others where something is permitted', () => {
    expect(of('Ada@example.com', 'code/remove')).toBe('allow');
    expect(of('ada@example.com', 'code/remove')).toBe('deny');
    expect([of('zoe', 'code/remove', ['interns']), of('zoe', 'code/remove', ['Interns'])]).toEqual([
      'allow',
      'deny',
    ]);
    expect([of('bob', 'code/remove'), of('Bob', 'code/remove')]).toEqual(['allow', 'deny']);
  });

  it('of which nobody was asked count where something is refused, and nowhere else', () => {
    const lines = policyOf(
      'team interns = as signed in\nteam devs = zoe\nanyone: tools of the docs and web servers\ninterns: not the docs server\ndevs, interns: tool remove of the code server',
    );
    const effect = (user: string, name: string, more: Partial<Caller>): string =>
      lines.judge({ ...callOf(user, name), caller: callerOf(user, more) }).effect;
    for (const via of ['nobody', 'sign-in'] as const) {
      expect(effect('bob', 'docs/search', { via, teams: [] })).toBe('deny');
      expect(effect('bob', 'web/search', { via, teams: [] })).toBe('allow');
      expect(effect('bob', 'code/remove', { via, teams: [] })).toBe('deny');
    }
    expect(effect('zoe', 'code/remove', { via: 'sign-in', teams: [] })).toBe('allow');
    // Whoever is asked and says none has none.
    expect(effect('bob', 'docs/search', { via: 'jwt', teams: [] })).toBe('allow');
  });
});

describe('toxic flows', () => {
  const read = { untrusted: true, private: true };
  const effect = (text: string, name: string, labels = {}): string =>
    policyOf(`${TEAMS}everyone: all locked tools\n${text}`, { entries: entriesWith(labels) }).judge(
      callOf('ada@example.com', name, { read }),
    ).effect;

  it('a session that read both does not send out, but for whom a line lets', () => {
    expect(effect('', 'docs/search')).toBe('deny');
    expect(effect('', 'docs/edit')).toBe('allow');
    expect(effect('interns: may send out after reading', 'docs/search')).toBe('allow');
    expect(effect('admins: may send out after reading', 'docs/search')).toBe('deny');
  });

  it('may be asked about, call by call, of people', () => {
    const asks = 'interns: ask two people before sending out after reading, within 5 minutes';
    expect(effect(asks, 'docs/search')).toBe('ask');
    expect(effect(asks, 'docs/edit')).toBe('allow');
    expect(effect(asks.replace('interns', 'admins'), 'docs/search')).toBe('deny');
    expect(effect(`${asks}\ninterns: may send out after reading`, 'docs/search')).toBe('allow');
    const policy = policyOf(`${TEAMS}everyone: everything locked\n${asks}`);
    const read = { untrusted: true, private: true };
    const prompt = { server: 'docs', kind: 'prompts', name: 'summary' } as const;
    expect(policy.judge(callOf('ada@example.com', 'docs/search', { read }))).toMatchObject({
      people: 2,
      minutes: 5,
    });
    expect(policy.judge(callOf('ada@example.com', '', { read, item: prompt })).effect).toBe('deny');
    // Nobody is asked about what a client's model says.
    expect(policy.sends(callerOf('ada@example.com'), 'docs', read)).toBe(false);
  });

  it('are remembered as the policy says', () => {
    const remembers = (text: string) => policyOf(`everyone: all locked tools\n${text}`).remembers;
    const hour = 3_600_000;
    expect(remembers('')).toEqual({ by: 'person', ms: 8 * hour });
    expect(remembers('toxic flows: remembered for 1 hour')).toEqual({ by: 'person', ms: hour });
    expect(remembers('toxic flows: remembered for 30 days').ms).toBe(720 * hour);
    expect(remembers('toxic flows: each credential by itself\ntoxic flows: remembered for 2 hours')).toEqual({
      by: 'credential',
      ms: 2 * hour,
    });
  });

  it('labels that were reviewed count before annotations', () => {
    expect(effect('', 'docs/edit', { docs: { edit: ['sends-out'] } })).toBe('deny');
    expect(effect('', 'docs/search', { docs: { search: [] } })).toBe('allow');
  });

  it('what is not labelled counts as all, or as none, where the policy says so', () => {
    expect(effect('toxic flows: unlabelled tools count as all', 'docs/edit')).toBe('deny');
    expect(effect('toxic flows: unlabelled tools count as none', 'docs/search')).toBe('allow');
  });

  it('what is put into a prompt or a template goes out as well, where a tool of the server sends out', () => {
    const of = (kind: Section, name: string, labels: ToolLabels = {}, text = ''): string =>
      policyOf(`${TEAMS}everyone: everything locked\n${text}`, {
        entries: entriesWith({ docs: labels }),
      }).judge({ ...callOf('ada@example.com', '', { read }), item: { server: 'docs', kind, name } }).rule;
    for (const [kind, name] of [
      ['prompts', 'summary'],
      ['resourceTemplates', 'docs://{page}'],
    ] as const) {
      expect(of(kind, name)).toBe('toxic flows');
      expect(of(kind, name, { search: [], edit: [] })).toContain('everything locked');
      expect(of(kind, name, {}, 'interns: may send out after reading')).toContain('everything locked');
    }
    expect(of('resources', 'docs://index')).toContain('everything locked');
  });

  it('one of both is not enough', () => {
    const policy = policyOf('everyone: all locked tools');
    for (const one of [
      { untrusted: true, private: false },
      { untrusted: false, private: true },
    ])
      expect(policy.judge(callOf('a@b.c', 'docs/search', { read: one })).effect).toBe('allow');
    expect(policy.judge(callOf('a@b.c', 'docs/search', { read })).rule).toBe('toxic flows');
  });
});

describe('Cedar between fences', () => {
  const cedar = (text: string): string => `\`\`\`cedar\n${text}\n\`\`\`\n`;
  it('stands beside ready lines, and what it forbids wins', () => {
    const policy = policyOf(
      `everyone: all locked tools\n${cedar('@id("no removal")\nforbid (principal, action == Action::"call", resource == Tool::"code/remove");')}`,
    );
    expect(policy.judge(callOf('a@b.c', 'code/remove'))).toEqual({
      effect: 'deny',
      rule: 'line 3: Cedar no removal',
    });
    expect(effectOf(policy, 'a@b.c', 'code/read')).toBe('allow');
  });

  it('asks people by annotation, and looks at arguments as ready lines do', () => {
    const policy = policyOf(
      cedar(`permit (principal, action == Action::"call", resource in Server::"code")
when { context.surely.contains("path is below /data") };
@ask("2") @minutes("3")
forbid (principal, action, resource) when { resource has destructive && resource.destructive };`),
    );
    const args = { arguments: { path: '/data/x' } };
    expect(policy.judge(callOf('a@b.c', 'code/read', args)).effect).toBe('allow');
    expect(policy.judge(callOf('a@b.c', 'code/remove', args))).toMatchObject({
      effect: 'ask',
      people: 2,
      minutes: 3,
    });
    expect(policy.judge(callOf('a@b.c', 'code/remove')).effect).toBe('deny');
  });

  it('that could fail is not left out for what stands beside it', () => {
    const policy = policyOf(
      `everyone: all locked tools\n${cedar('forbid (principal, action == Action::"call", resource) when { 9223372036854775807 + context.day < 0 && resource.sendsOut };')}`,
    );
    expect(effectOf(policy, 'a@b.c', 'code/read')).toBe('deny');
  });

  it('that fails on a call denies it', () => {
    const policy = policyOf(
      `everyone: all locked tools\n${cedar('forbid (principal, action == Action::"call", resource) when { 9223372036854775807 + context.day < 0 };')}`,
    );
    const decision = policy.judge(callOf('a@b.c', 'code/read'));
    expect(decision.effect).toBe('deny');
    expect(decision.rule).toMatch(/^error: line 3/);
  });
});

describe('a policy that is not understood is refused, with its line and what was expected', () => {
  const cedar = (text: string): string => `\`\`\`cedar\n${text}\n\`\`\``;
  it.each([
    ['everyone all locked tools', 'line 1', '"WHO: WHAT"'],
    ['everyone:', 'line 1', 'all locked tools'],
    ['\neveryone: all unlocked tools', 'line 2', 'all locked tools'],
    ['interns: no write tools', 'line 1', 'a team of this policy'],
    ['everyone: not the dosc server', 'line 1', 'docs, code, web'],
    ['everyone: tool serach of the docs server', 'line 1', 'edit, search'],
    ['everyone: tool search', 'line 1', 'of the ALIAS server'],
    ['everyone: all locked tools of the docs and code server', 'line 1', 'servers'],
    ['everyone: all locked tools, sometimes', 'line 1', 'where'],
    ['everyone: all locked tools, where paths are below data', 'line 1', 'absolute path'],
    ['everyone: all locked tools, where paths are below /a/../b', 'line 1', 'absolute path'],
    ['everyone: all locked tools, where hosts are https://x', 'line 1', 'a host such as'],
    ['everyone: all locked tools, where statements are selct', 'line 1', 'select'],
    ['everyone: all locked tools, on monday till friday', 'line 1', '","'],
    ['everyone: all locked tools, between 8 and 18', 'line 1', '08:00'],
    ['everyone: all locked tools, until 2026-02-30', 'line 1', 'a day'],
    ['everyone: all locked tools, within 5 minutes', 'line 1', 'asks people'],
    ['everyone: ask one person before all locked tools, within 16 minutes', 'line 1', '15'],
    ['everyone: ask three people before all locked tools', 'line 1', 'two people'],
    ['everyone: read prompts', 'line 1', 'tools'],
    ['team a = x\nteam a = y', 'line 2', 'each team once'],
    ['team everyone = x', 'line 1', 'name'],
    ['team a =', 'line 1', 'a person'],
    ['times in Europe/Nowhere', 'line 1', 'time zone'],
    ['toxic flows: unlabelled tools count as some', 'line 1', 'all'],
    ['toxic flows: forgotten', 'line 1', 'remembered for 8 hours'],
    ['toxic flows: remembered for 31 days', 'line 1', 'at most 30 days'],
    ['toxic flows: remembered for 0 hours', 'line 1', 'a number'],
    ['toxic flows: remembered for 8 weeks', 'line 1', 'days'],
    ['toxic flows: remembered for 8 hours or so', 'line 1', 'the end of the line'],
    ['toxic flows: each credential by itself\ntoxic flows: each credential by itself', 'line 2', 'once'],
    [
      'everyone: ask one person before sending out after reading, on weekdays',
      'line 1',
      'no other condition',
    ],
    ['everyone: tool "search of the docs server', 'line 1', 'quotation marks'],
    ['everyone: all locked tools\u202e', 'line 1', 'can be seen'],
    ['```cedar\npermit (principal, action, resource);', 'line 1', '```'],
    ['```json\n```', 'line 1', '```cedar'],
    [cedar('permit (principal, action, resource'), 'line 2', 'Cedar'],
    [
      cedar('\npermit (principal, action == Action::"call", resource) when { resource.redOnly };'),
      'line 3',
      'fits',
    ],
    [cedar('permit (principal in Team::"x", action, resource);'), 'line 2', 'a team'],
    [cedar('permit (principal, action, resource in Server::"x");'), 'line 2', 'locked server'],
    [cedar('permit (principal, action, resource == Tool::"docs/x");'), 'line 2', 'locked tool'],
    [cedar('permit (principal, action == Action::"delete", resource);'), 'line 2', 'fits'],
    [cedar('@ask("1") permit (principal, action, resource);'), 'line 2', 'forbid'],
    [cedar('@ask("3") forbid (principal, action, resource);'), 'line 2', '@ask("1")'],
    [cedar('@minutes("3") forbid (principal, action, resource);'), 'line 2', '@ask'],
    [cedar('permit (principal == ?principal, action, resource);'), 'line 2', 'Cedar'],
    [
      cedar('permit (principal, action, resource) when { !context.maybe.contains("path is below /etc") };'),
      'line 2',
      'surely',
    ],
    [
      cedar('permit (principal, action, resource) unless { context.surely.contains("path is below /etc") };'),
      'line 2',
      'surely',
    ],
    [
      cedar('forbid (principal, action, resource) when { context.surely.contains("path is below /etc") };'),
      'line 2',
      'maybe',
    ],
    [
      cedar('permit (principal, action, resource) when { context.surely.contains("something else") };'),
      'line 2',
      'is',
    ],
    ['x'.repeat(70_000), 'line 1', '65536 bytes'],
  ])('%j', (text, line, expected) => {
    const refused = (): unknown => openPolicy(sourceOf(text));
    expect(refused).toThrow(LockkeeperError);
    expect(refused).toThrow(expect.objectContaining({ code: 'POLICY_INVALID' }));
    expect(refused).toThrow(`${line} of lockkeeper.policy`);
    expect(refused).toThrow(expected);
    expect(refused).toThrow('lk policy check');
  });
});
