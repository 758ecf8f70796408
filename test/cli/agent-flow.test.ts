/** A reviewer whose key stays in the SSH agent: enrolled, approving, revoking, through the command line alone. */
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JsonObject } from '../../schemas/common.ts';
import { BARE } from '../helpers/bare.ts';
import { here } from '../helpers/here.ts';
import { servers, startTestRegistry, submissionOf, type TestRegistry } from '../helpers/registry.ts';
import { tempDir } from '../helpers/session.ts';
import { startAgent, type TestAgent } from '../helpers/ssh-agent.ts';

describe.each(servers().slice(0, 1))('a reviewer with a key in an SSH agent', (server) => {
  let registry: TestRegistry;
  let agent: TestAgent;
  let environment: NodeJS.ProcessEnv;

  beforeAll(async () => {
    agent = await startAgent();
    agent.add('alice@token', 'ecdsa');
    registry = await startTestRegistry(server, { trial: true });
    await registry.app.listen({ host: '127.0.0.1', port: 0 });
    const { port } = registry.app.server.address() as AddressInfo;
    await registry.person('dave', 'publisher');
    const { rootKeys } = (await registry.call(null, 'GET', '/v1/trust')).body;
    environment = {
      ...BARE,
      LOCKKEEPER_HOME: tempDir(),
      LOCKKEEPER_TOKEN: await registry.person('alice', 'reviewer'),
      LOCKKEEPER_REGISTRY: `http://127.0.0.1:${port}`,
      LOCKKEEPER_ROOT_KEYS: rootKeys.join(','),
      SSH_AUTH_SOCK: agent.socket,
    };
  });
  afterAll(async () => {
    await registry?.close();
    await agent?.close();
  });

  /** One `lk … --json`: its exit code and its one object. */
  const lk = (...words: string[]): Promise<{ exit: number; data: JsonObject; stderr: string }> =>
    here([...words, '--json'], { cwd: process.cwd(), env: environment });
  const codeOf = ({ data }: { data: JsonObject }): unknown => (data.error as JsonObject)?.code;

  it('enrols it, approves with it, and signs nothing while it is locked', async () => {
    const made = await lk('keys', 'new', '--ssh-agent', '--name', 'work');
    expect([made.exit, made.data.type, made.data.kind]).toEqual([0, 'p256', 'ssh-agent']);
    const enrolled = await lk('keys', 'enrol', '--name', 'work');
    expect(enrolled.data).toMatchObject({ person: 'alice', keyid: made.data.keyid });
    const id = await registry.scanned('dave', submissionOf('3.0.0'));
    agent.lock('-x');
    const locked = await lk('approve', String(id), '--key', 'work');
    agent.lock('-X');
    expect([locked.exit, codeOf(locked)]).toEqual([4, 'SIGNER_FAILED']);
    expect((await registry.call('alice', 'GET', `/v1/releases/${id}`)).body.state).toBe('in_review');
    const approved = await lk('approve', String(id), '--key', 'work');
    expect([approved.exit, approved.data.state]).toEqual([0, 'approved']);
  });

  it('revokes with it, and without it when it does not sign: to deny is cheap', async () => {
    const revoked: unknown[] = [];
    for (const [version, lock] of [
      ['3.1.0', false],
      ['3.2.0', true],
    ] as const) {
      const id = await registry.scanned('dave', submissionOf(version));
      const fired = await lk('approve', String(id), '--key', 'work', '--accept', 'LK-SRF-01=read it');
      expect(fired.exit).toBe(0);
      if (lock) agent.lock('-x');
      const { data, stderr } = await lk('revoke', String(id), '--reason', 'a test of it', '--key', 'work');
      if (lock) agent.lock('-X');
      revoked.push([data.signed, (data.release as JsonObject).state, stderr.includes('did not sign')]);
    }
    expect(revoked).toEqual([
      [true, 'revoked', false],
      [false, 'revoked', true],
    ]);
  });
});
