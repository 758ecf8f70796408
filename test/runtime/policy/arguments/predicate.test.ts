import { describe, expect, it } from 'vitest';
import { leavesOf } from '../../../../runtime/policy/arguments/leaves.ts';
import { decide, readPredicate } from '../../../../runtime/policy/arguments/predicate.ts';
import { verbOf } from '../../../../runtime/policy/arguments/sql.ts';
import { Words, wordsOf } from '../../../../runtime/policy/words.ts';
import type { Json } from '../../../../schemas/common.ts';
import { processorMs } from '../../../helpers/wait.ts';

const truth = (text: string, args: Json): string => {
  const { surely, maybe } = decide(readPredicate(new Words(wordsOf(text, 1), 1)), leavesOf(args), false);
  return surely ? 'surely' : maybe ? 'maybe' : 'no';
};

describe('paths', () => {
  it.each([
    ['/data', 'surely'],
    ['/data/', 'surely'],
    ['/data/a/../b', 'surely'],
    ['/data//a/./b', 'surely'],
    ['//data/x', 'surely'],
    ['/data/ü', 'surely'],
    ['file:///data/x', 'surely'],
    ['file://localhost/data/x', 'surely'],
    ['/database', 'no'],
    ['/', 'no'],
    ['/etc/passwd', 'no'],
    ['file:///etc/passwd', 'no'],
    ['/data/../etc', 'maybe'],
    ['/etc/../data/x', 'maybe'],
    ['/data/..', 'maybe'],
    ['/data/%2e%2e/%2e%2e/etc', 'maybe'],
    ['/data/%252e%252e/etc', 'maybe'],
    ['/data/%2525252525252e', 'maybe'],
    ['/data/100%', 'surely'],
    ['/data/a%20b', 'surely'],
    ['/data\\..\\etc', 'maybe'],
    ['\\\\host\\share', 'maybe'],
    ['C:\\data', 'maybe'],
    ['~/data', 'maybe'],
    ['data/x', 'maybe'],
    ['../data', 'maybe'],
    ['', 'maybe'],
    ['/data/x\u0000/../../etc', 'maybe'],
    ['/data/\uff0e\uff0e/etc', 'maybe'],
    ['/data\u2215..\u2215etc', 'maybe'],
    ['file://other/data/x', 'maybe'],
    ['file:///data/x?y', 'maybe'],
    ['https://a.example/data', 'maybe'],
    ['/data/**/*.ts', 'surely'],
    ['/data/[id]/x', 'surely'],
    ['/etc/*', 'no'],
    ['/etc/[id]/{a,b}', 'no'],
    ['/*', 'maybe'],
    ['/d?ta/x', 'maybe'],
    ['/{data,etc}/passwd', 'maybe'],
    ['/data/{a,../../etc}', 'maybe'],
    ['/data/{..,a}/etc', 'maybe'],
    ['/data/[...slug]/x', 'surely'],
    ['/data*/x', 'maybe'],
    // One folder to file systems that do not tell letters apart, another to others.
    ['/DATA/x', 'maybe'],
    ['/d\u200data/x', 'maybe'],
    ['/data/X', 'surely'],
    [`/data/${'x'.repeat(4096)}`, 'maybe'],
    [null, 'maybe'],
    [{ odd: 1 }, 'maybe'],
    [[], 'maybe'],
  ])('%j is below /data: %s', (path, expected) => {
    expect(truth('path is below /data', { path })).toBe(expected);
  });

  it('are known by their names or by themselves', () => {
    expect(truth('paths are below /data', { path: '/data/x', content: 'some text' })).toBe('surely');
    expect(truth('paths are below /data', { whatever: '/etc/x' })).toBe('no');
    expect(truth('paths are below /data', { path: '/data/x', deep: [{ to: ['/etc/x'] }] })).toBe('maybe');
    expect(truth('paths are below /data', { message: 'hello' })).toBe('no');
    expect(truth('paths are not below /data', { message: 'hello' })).toBe('maybe');
    expect(truth('paths are not below /etc', { path: '/data/x' })).toBe('surely');
    expect(truth('paths are not below /data', { path: '/data/x' })).toBe('no');
    expect(truth('paths are not below /data', { path: ['/data/x', '/etc/x'] })).toBe('maybe');
    expect(truth('paths are below /data or /srv', { a: '/data/x', b: '/srv/y' })).toBe('surely');
    expect(truth('paths are below /', { path: '/anything' })).toBe('surely');
    expect(truth('paths are below /', { path: '/a/../..' })).toBe('surely');
    // No addresses of the net: without a host, or led up from it by whoever takes them for paths.
    for (const path of ['x9://../../../etc/passwd', 'x9://a/%2e%2e/b', 'sqlite:////etc/x', 'x9://a\\..\\b']) {
      expect(truth('paths are below /etc', { path })).toBe('maybe');
      expect(truth('paths are below /data', { path, other: '/data/a' })).toBe('maybe');
    }
    expect(truth('paths are below /data', { from: 'https://a.example/b', to: '/data/a' })).toBe('surely');
  });
});

describe('hosts', () => {
  it.each([
    ['https://example.com/x', 'surely'],
    ['https://EXAMPLE.com:8443/x?y#z', 'surely'],
    ['https://example.com./', 'surely'],
    ['example.com', 'surely'],
    ['example.com:443', 'surely'],
    ['//example.com/x', 'surely'],
    ['https://a.b.sub.example/', 'surely'],
    ['https://sub.example/', 'no'],
    ['https://example.com.evil.test/', 'no'],
    ['https://evil.test/example.com', 'no'],
    ['https://evil.test/?x=https://example.com', 'no'],
    ['https://xn--exmple-cua.com/', 'no'],
    ['https://exаmple.com/', 'no'],
    ['https://example.com@evil.test/', 'maybe'],
    ['https://evil.test@example.com/', 'maybe'],
    ['https://evil.test\\@example.com/', 'maybe'],
    ['https://example.com\\.evil.test/', 'maybe'],
    ['https://exam\tple.com/', 'maybe'],
    [' https://example.com/', 'maybe'],
    ['https://example%2ecom/', 'maybe'],
    ['https://0x7f.1/', 'maybe'],
    ['https:/example.com', 'maybe'],
    ['https:example.com', 'maybe'],
    ['javascript:alert(1)', 'maybe'],
    ['https://', 'maybe'],
    ['', 'maybe'],
    ['two words', 'maybe'],
    // Two hosts to whoever takes a list, or one of another form than IDNA 2008 gives it.
    ['evil.test,a.sub.example', 'maybe'],
    ['https://evil.test;x.sub.example/', 'maybe'],
    ['https://evil.test&x=.sub.example/', 'maybe'],
    ['https://{evil.test,a}.sub.example/', 'maybe'],
    ['https://fa\u00df.sub.example/', 'maybe'],
    ['https://a\u200db.sub.example/', 'maybe'],
    ['https://ä.sub.example/', 'surely'],
    ['https://[::1]/', 'no'],
    [5, 'maybe'],
  ])('%j is at example.com or below sub.example: %s', (url, expected) => {
    expect(truth('url is at example.com or *.sub.example', { url })).toBe(expected);
  });

  it('are known by their names or by themselves', () => {
    expect(truth('hosts are example.com', { url: 'https://example.com/', note: 'x' })).toBe('surely');
    expect(truth('hosts are example.com', { note: 'https://evil.test/' })).toBe('no');
    expect(truth('hosts are example.com', { host: 'example.com', to: ['wss://evil.test'] })).toBe('maybe');
    // What readers of addresses put right is looked at as an address, and not certain.
    for (const note of [
      ' https://evil.test/',
      '\thttps:evil.test',
      'https:\\\\evil.test',
      '\\/evil.test',
      'htt\nps:\t//evil.test',
    ])
      expect(truth('hosts are evil.test', { note })).toBe('maybe');
    expect(truth('hosts are evil.test', { note: 'http: a word of text' })).toBe('no');
    // A file of another host is at that host.
    expect(truth('hosts are evil.test', { note: 'file://evil.test/x' })).toBe('surely');
    expect(truth('hosts are evil.test', { note: 'file:\\\\evil.test\\x' })).toBe('maybe');
    expect(truth('hosts are evil.test', { url: 'file://localhost/x', path: 'file:///x' })).toBe('no');
  });
});

describe('repositories', () => {
  it.each<[Json, string]>([
    [{ owner: 'acme', repo: 'site' }, 'surely'],
    [{ owner: 'Acme', repo: 'Site' }, 'surely'],
    [{ repository: 'acme/site' }, 'surely'],
    [{ repo_url: 'https://github.com/acme/site.git' }, 'surely'],
    [{ repo: 'git@github.com:acme/site.git' }, 'surely'],
    [{ owner: 'acme', repo: 'other' }, 'no'],
    [{ owner: 'evil', repo: 'site' }, 'no'],
    [{ owner: 'acme', repo: 'evil/site' }, 'no'],
    [{ repo: 'site' }, 'maybe'],
    [{ repo: '../acme/site' }, 'maybe'],
    [{ owner: 'acme', repo: '..' }, 'maybe'],
    [{ repo: 'https://x@github.com/acme/site' }, 'maybe'],
    [{ other: 'x' }, 'no'],
    [{ owner: 'evil', org: 'acme', repo: 'site' }, 'maybe'],
    [{ org: 'acme', owner: 'evil', repo: 'site' }, 'maybe'],
    [{ owner: 'acme', org: 'acme', repo: 'site' }, 'surely'],
    [{ owner: 'acme', org: { login: 'evil' }, repo: 'site' }, 'surely'],
    [{ owner: 'acme', org: 5, repo: 'site' }, 'maybe'],
  ])('%j: %s', (args, expected) => {
    expect(truth('repositories are acme/site', args)).toBe(expected);
  });

  it.each([
    ['https://git.acme.test/acme/site', 'acme/site', 'maybe'],
    ['git@gitlab.com:acme/site.git', 'acme/*', 'maybe'],
    ['https://evil.test/acme/site', 'acme/site or git.acme.test/acme/*', 'maybe'],
    ['https://GitHub.com/acme/site', 'acme/*', 'surely'],
    ['https://git.acme.test/acme/site', 'git.acme.test/acme/*', 'surely'],
    ['ssh://git@git.acme.test/acme/site.git', 'git.acme.test/acme/site', 'surely'],
    ['https://github.com/acme/site', 'git.acme.test/acme/*', 'no'],
    ['https://git.acme.test/evil/site', 'git.acme.test/acme/*', 'no'],
    ['acme/site', 'git.acme.test/acme/*', 'maybe'],
    ['evil/site', 'git.acme.test/acme/*', 'no'],
    ['https://acme/acme/site', 'acme/site', 'maybe'],
  ])('at another host is another one: %s is in %s: %s', (repo, patterns, expected) => {
    expect(truth(`repo is in ${patterns}`, { repo })).toBe(expected);
  });

  it('of one owner', () => {
    expect(truth('repositories are acme/*', { owner: 'acme', repo: 'anything' })).toBe('surely');
    expect(truth('repositories are acme/*', { owner: 'acme2', repo: 'anything' })).toBe('no');
  });
});

describe('what is told by itself', () => {
  it.each<[string, Json, string]>([
    // Names of members, as of files to be written.
    ['paths are below /data', { files: { '/data/a.txt': 'x', '/data/b': 'y' } }, 'surely'],
    ['paths are below /data', { path: '/data/a', files: { '/etc/cron.d/x': 'y' } }, 'maybe'],
    ['paths are below /data/secret', { files: { '/data/secret/x': 'y' } }, 'surely'],
    ['paths are below /data/secret', { files: [{ 'file:///data/secret/x': { mode: 1 } }] }, 'surely'],
    ['paths are below /data/secret', { '/data/secret/x': 'y' }, 'surely'],
    ['paths are not below /data', { files: { '/data/a': 'x', '../../etc/x': 'y' } }, 'maybe'],
    ['moves is below /data', { moves: { '/etc/a': '/data/a' } }, 'maybe'],
    ['moves is below /data', { moves: { '/data/a': '/data/b' } }, 'surely'],
    ['paths are below /data', { source: { kind: 'local', path: '/data/x' } }, 'surely'],
    ['hosts are evil.test', { headers: { 'https://evil.test/': 'x' } }, 'surely'],
    ['hosts are evil.test', { hosts: { 'evil.test:443': true } }, 'surely'],
    ['hosts are example.com', { server: { kind: 'x', url: 'https://example.com' } }, 'surely'],
    ['repositories are acme/site', { repos: { 'acme/site': 'main' } }, 'surely'],
    ['tags is "a:b"', { tags: { 'a:b': 'c' } }, 'no'],
    // Another machine, in the form of the shell.
    ['hosts are evil.test', { remote: 'git@evil.test:acme/site.git' }, 'maybe'],
    ['hosts are github.com', { url: 'https://github.com/a', from: 'x@evil.test:/srv' }, 'maybe'],
    ['hosts are evil.test', { note: 'ada@example.com: look at this' }, 'no'],
    // Repositories in arguments that are called otherwise.
    ['repositories are acme/secret', { remote: 'git@github.com:acme/secret.git' }, 'surely'],
    ['repositories are acme/secret', { url: 'https://github.com/acme/secret' }, 'surely'],
    ['repositories are acme/secret', { url: 'https://x@github.com/acme/secret/tree/main' }, 'maybe'],
    ['repositories are acme/secret', { src: 'https://git.acme.test/acme/secret.git' }, 'maybe'],
    ['repositories are acme/*', { repo: 'acme/site', remote: 'ssh://git@github.com/evil/x' }, 'maybe'],
    ['repositories are acme/*', { repo: 'acme/site', note: 'see https://github.com/evil/x' }, 'surely'],
    // Statements, in lists as well.
    ['statements are drop', { statements: ['select 1', 'drop table t'] }, 'maybe'],
    ['statements are drop', { queries: ['drop table t'] }, 'surely'],
    ['statements are drop', { text: ' DROP TABLE t' }, 'surely'],
    ['statements are select', { sql: 'select 1', next: 'delete from t' }, 'maybe'],
    ['statements are select', { sql: 'select 1', note: 'update the page' }, 'surely'],
  ])('%s in %j: %s', (text, args, expected) => {
    expect(truth(text, args)).toBe(expected);
  });
});

describe('statements', () => {
  it.each([
    ['select 1', 'select'],
    ["  SELECT * from t where a = 'x;--' ;  ", 'select'],
    ['select "into" from t', 'select'],
    ['(select 1)', null],
    ['insert into t values (1)', 'insert'],
    ['Delete from t', 'delete'],
    ['drop table t;', 'drop'],
    ['select 1; drop table t', null],
    ['select 1;;', null],
    ['select 1 -- x', null],
    ['select 1 /* x */', null],
    ['/*!50000 drop table t */', null],
    ['select 1 # x', null],
    ['with x as (delete from t returning *) select * from x', null],
    ['explain analyze delete from t', null],
    ['select * into t2 from t', null],
    ['select * from t for update', null],
    ["select 'a\\'; drop table t; --'", null],
    ["select 'open", null],
    ['select $$x$$', null],
    ['select 1\u0000', null],
    ['select １', null],
    ['selectx', null],
    ['call p()', null],
    ['', null],
    // Databases that need no semicolon between two statements.
    ['select 1 drop table t', null],
    ['select 1\nTRUNCATE TABLE t', null],
    ['select 1 shutdown', null],
    ['update t set a = 1 drop table t', null],
    ['insert into t values (1) exec p', null],
    ['delete from t disable trigger all on t', null],
    ['drop table t delete from u', null],
    ['select dropped, create_date, "drop" from t', 'select'],
    ['insert into t select a from u', 'insert'],
    ['update t set a = 1 update u set b = 2', 'update'],
    ['show create table t', 'show'],
    ['describe t', 'describe'],
    ['describe analyze delete t from t join u', null],
    // Databases in which square brackets quote a name, and q a text.
    ["select 1 as [x'] ; drop table t; select 1 as [']", null],
    ["select q'[']' ; drop table t; --'", null],
    ["select a[1], [b c] from t where d = '['", 'select'],
    ['select a[1', null],
  ])('%j: %s', (sql, verb) => {
    expect(verbOf(sql)).toBe(verb);
  });

  it('are known by the name of their argument', () => {
    expect(truth('statements are select', { sql: 'select 1' })).toBe('surely');
    expect(truth('statements are select', { sql: 'drop table t' })).toBe('no');
    expect(truth('q is a select statement', { q: 'select 1' })).toBe('surely');
    expect(truth('q is not a select statement', { q: 'with x as (select 1) select * from x' })).toBe('maybe');
  });
});

describe('values', () => {
  it.each<[string, Json, string]>([
    ['env is prod', { env: 'prod' }, 'surely'],
    ['env is prod', { env: 'test' }, 'no'],
    ['env is prod', { env: ' PROD' }, 'maybe'],
    ['env is not prod', { env: 'Prod' }, 'maybe'],
    ['env is prod', {}, 'maybe'],
    ['env is not prod', {}, 'maybe'],
    ['env is not prod', { env: 'test' }, 'surely'],
    ['env is "two words" or 7', { env: 7 }, 'surely'],
    ['options.dry_run is true', { options: { dry_run: true } }, 'surely'],
    ['env is prod', { env: {} }, 'maybe'],
    ['env is prod', { env: null }, 'maybe'],
    ['env is prod', { env: ['prod', 'test'] }, 'maybe'],
    ['env is prod', null, 'maybe'],
    ['env is prod', 'prod', 'maybe'],
    ['__proto__ is x', { env: 'x' }, 'maybe'],
    // Some programs do not tell large letters from small ones in names: the last one counts for them.
    ['env is prod', { env: 'prod', Env: 'test' }, 'maybe'],
    ['env is prod', { ENV: 'prod' }, 'surely'],
    ['path is below /data', { path: '/data/x', PATH: '/etc/x' }, 'maybe'],
    ['options.mask is x', { options: { mask: 'x' }, Optionſ: { maſK: 'b' } }, 'maybe'],
  ])('%s in %j: %s', (text, args, expected) => {
    expect(truth(text, args)).toBe(expected);
  });
});

describe('a condition', () => {
  it('is certain of no call with a name that nobody reads', () => {
    expect(truth('env is prod', { env: 'prod', ['x'.repeat(1001)]: [1] })).toBe('maybe');
  });

  it.each([
    'path is below /data',
    'paths are not below /a or /b',
    'hosts are *.example.com or a.b',
    'url is not at example.com',
    'repositories are acme/*',
    'name is in acme/site',
    'statements are select or show',
    'q is not a select statement',
    'env is "two words" or x',
  ])('%s reads the same as it is written', (text) => {
    expect(readPredicate(new Words(wordsOf(text, 1), 1)).text).toBe(text);
  });

  it('is decided in time, however the arguments are made', () => {
    const spent = processorMs();
    for (const value of [
      'a'.repeat(1e6),
      '/'.repeat(1e6),
      '%25'.repeat(1e5),
      `/${'../'.repeat(1e5)}`,
      `${'/a'.repeat(5e4)}${'/..'.repeat(5e4)}`,
      Array(200).fill(`${'/a'.repeat(800)}${'/..'.repeat(800)}`),
      Array(2400).fill({ owner: 'c', repo: 'b' }),
      Array.from({ length: 2400 }, (_, i) => ({ owner: `a${i}`, repo: 'b' })),
      { ['k'.repeat(1e6)]: Object.fromEntries(Array.from({ length: 4900 }, (_, i) => [`a${i}`, '/b'])) },
      "'".repeat(99_999),
      `a://${'.git/'.repeat(2e5)} x`,
      `select ${' from'.repeat(2e5)}`,
      Object.fromEntries(Array.from({ length: 4900 }, (_, i) => [`/a/${i}`, { owner: 'a' }])),
      `select ${'['.repeat(49_900)}${']'.repeat(49_900)}[`,
      `select ${"a'b'".repeat(20_000)}'`,
    ])
      for (const text of [
        'x is below /a',
        'x is at a.b',
        'x is in a/b',
        'x is a select statement',
        'paths are below /a',
        'repositories are b/*',
        'statements are drop',
        'hosts are a.b',
      ])
        expect(['maybe', 'no']).toContain(truth(text, { x: value }));
    expect(spent()).toBeLessThan(5000);
  });
});
