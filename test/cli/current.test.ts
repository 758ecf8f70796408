import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openApi } from '../../cli/api.ts';
import type { Context } from '../../cli/command.ts';
import { type Asked, assertCurrent, isVerdict, type States } from '../../cli/current.ts';
import { openHome } from '../../cli/home.ts';
import type { OpenedProject } from '../../cli/project.ts';
import { verifyLock } from '../../runtime/trust/lock.ts';
import type { LockCheckView } from '../../schemas/api.ts';
import type { Envelope } from '../../schemas/dsse.ts';
import { CODES, type Code } from '../../schemas/errors.ts';
import { renderLockFile } from '../../schemas/lock.ts';
import { noteKeyOf } from '../../schemas/note.ts';
import type { Root } from '../../schemas/root.ts';
import { memoryLog } from '../helpers/log.ts';
import { tempDir } from '../helpers/session.ts';
import { at, logSigner, makeLock, makeRoot, NOW, people, pin } from '../helpers/trust.ts';

const log = memoryLog(logSigner);
const bytes = Buffer.from(renderLockFile(makeLock({ log })));
const verified = verifyLock(bytes, {
  pin,
  audience: 'acme/app',
  environment: 'development',
  now: NOW,
  seen: null,
});
const OTHER = `sha256:${'4'.repeat(64)}`;
const good: LockCheckView = {
  known: true,
  latest: { version: 7, digest: verified.digest },
  states: [{ server: 'acme.tools/weather', version: '1.2.3', state: 'approved' }],
};
const stateOf = (state: LockCheckView['states'][number]['state']): Partial<LockCheckView> => ({
  states: [{ server: 'acme.tools/weather', version: '1.2.3', state }],
});
const without = (person: string): Envelope =>
  makeRoot((root) => {
    const gone = root.keys.filter((key) => key.person === person).map(({ keyid }) => keyid);
    root.keys = root.keys.filter((key) => key.person !== person);
    root.roles.approver.keyids = root.roles.approver.keyids.filter((id) => !gone.includes(id));
    root.roles.revoker.keyids = root.roles.approver.keyids;
  });

/** Good in itself, with another root key than the project pins. */
function taken(root: Root): void {
  const { keyid, pem: publicKey, person } = people.mallory;
  root.keys = root.keys.map((key) =>
    key.keyid === people.root.keyid ? { ...key, keyid, publicKey, person } : key,
  );
  root.roles.root.keyids = [keyid];
}

describe('what the registry says of a lock today', () => {
  let told: { check: LockCheckView; root: Envelope };
  let heard: States = new Map();
  const server = createServer((request, response) => {
    const trust = {
      ...pin,
      trial: false,
      root: told.root,
      rootChain: [],
      standby: { lock: '', scanner: '', log: '' },
    };
    const path = request.url ?? '';
    const answer = path.startsWith('/v1/trust')
      ? trust
      : path === '/v1/log'
        ? { key: noteKeyOf(logSigner, 'log'), checkpoint: log.note() }
        : told.check;
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(answer));
  });
  beforeAll(() => new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve)));
  afterAll(() => void server.close());
  const ask = async (
    check: Partial<LockCheckView>,
    root = makeRoot(),
    now = NOW,
    refused?: Asked['refused'],
  ): Promise<string> => {
    told = { check: { ...good, ...check }, root };
    const registry = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const intent = {
      lockkeeper: 'intent/v1' as const,
      project: 'acme/app',
      environment: 'development',
      registry,
      trust: pin,
      servers: {},
    };
    const shown = { evidence: { root: makeRoot(), rootChain: [] }, trusted: verified.trusted };
    const opened: OpenedProject = { intent, bytes, verified: { ...verified, shown } };
    const context = { now: () => now, home: openHome(tempDir()), say: () => undefined } as unknown as Context;
    heard = new Map();
    return assertCurrent(context, openApi(registry, null), {
      ...opened,
      ...(refused ? { refused } : {}),
      told: (states) => void (heard = states),
    }).then(
      () => 'ok',
      (error) => error.code,
    );
  };

  it.each<[string, string, Partial<LockCheckView>]>([
    ['approved', 'ok', {}],
    ['deprecated', 'ok', stateOf('deprecated')],
    ['revoked', 'RELEASE_REVOKED', stateOf('revoked')],
    ['rejected', 'RELEASE_REVOKED', stateOf('rejected')],
    ['in review again', 'RELEASE_REVOKED', stateOf('in_review')],
    ['not here', 'RELEASE_REVOKED', stateOf(null)],
    ['not told', 'RELEASE_REVOKED', { states: [] }],
    [
      'told for another version',
      'RELEASE_REVOKED',
      { states: [{ server: 'acme.tools/weather', version: '1.2.4', state: 'approved' }] },
    ],
    ['locked in a newer lock too', 'ok', { latest: { version: 8, digest: OTHER } }],
    ['in a lock it does not know', 'LOCK_EQUIVOCATION', { known: false }],
    ['in a lock of a project without any', 'LOCK_EQUIVOCATION', { latest: null }],
    ['in a lock newer than its newest', 'LOCK_EQUIVOCATION', { latest: { version: 6, digest: OTHER } }],
    ['in another lock of this version', 'LOCK_EQUIVOCATION', { latest: { version: 7, digest: OTHER } }],
  ])('a release that is %s: %s', async (_, code, check) => {
    expect(await ask(check)).toBe(code);
  });

  it('keeps what it refused of single releases when the rest could not be asked', async () => {
    const refused: [string, string][] = [];
    const keep = (alias: string, { code }: { code: string }): void => void refused.push([alias, code]);
    expect(await ask(stateOf('revoked'), makeRoot(), NOW, keep)).toBe('ok');
    expect(await ask({}, without('bob'), NOW, keep)).toBe('ok');
    expect(await ask({ ...stateOf('revoked'), known: false }, makeRoot(), NOW, keep)).toBe(
      'LOCK_EQUIVOCATION',
    );
    expect(refused).toEqual([
      ['weather', 'RELEASE_REVOKED'],
      ['weather', 'APPROVAL_THRESHOLD'],
      ['weather', 'RELEASE_REVOKED'],
    ]);
  });

  it('is told of what it says before it is refused', async () => {
    expect(await ask(stateOf('revoked'))).toBe('RELEASE_REVOKED');
    expect([...heard.values()]).toEqual(['revoked']);
  });

  it.each<[string, string, Envelope]>([
    ['the root of today', 'ok', makeRoot((root) => void (root.version = 4))],
    ['a root without one who approved', 'APPROVAL_THRESHOLD', without('bob')],
    ['a root without one who did not', 'ok', without('carol')],
    [
      'a root that asks for three',
      'APPROVAL_THRESHOLD',
      makeRoot((root) => void (root.roles.approver.threshold = 3)),
    ],
    ['a root that is over', 'ROOT_EXPIRED', makeRoot((root) => void (root.expires = at(-1)))],
    ['a root that somebody else signed', 'ROOT_UNTRUSTED', makeRoot(() => undefined, people.mallory)],
    ['a root that somebody else made', 'ROOT_UNTRUSTED', makeRoot(taken, people.mallory)],
  ])('the approvals against %s: %s', async (_, code, root) => {
    expect(await ask({}, root)).toBe(code);
  });

  it('the approvals at a time when they are over', async () => {
    expect(await ask({}, makeRoot(), new Date(at(24 * 100)))).toBe('APPROVAL_EXPIRED');
  });
});

describe('a verdict', () => {
  it('is every refusal of what was shown, and none of who asks', () => {
    const verdicts = (Object.keys(CODES) as Code[]).filter(isVerdict);
    expect(verdicts).toContain('RELEASE_REVOKED');
    expect(verdicts).toContain('LOCK_EQUIVOCATION');
    expect(verdicts).toContain('APPROVAL_THRESHOLD');
    const refusals = (Object.keys(CODES) as Code[]).filter((code) => CODES[code].exit === 3);
    expect(refusals.filter((code) => !isVerdict(code)).sort()).toEqual([
      'FORBIDDEN',
      'RATE_LIMITED',
      'UNAUTHENTICATED',
    ]);
    expect(verdicts.filter((code) => CODES[code].exit !== 3)).toEqual([]);
  });
});
