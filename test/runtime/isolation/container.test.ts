import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { container } from '../../../runtime/isolation/container.ts';
import { openDir, planFor } from '../../helpers/sandbox.ts';

const driver = container({ engine: 'podman', nodePath: process.execPath });
const PROBE = `
const fs = require('node:fs'), net = require('node:net'); const out = {};
const attempt = (name, run) => { try { out[name] = String(run() ?? 'ok').slice(0, 100); } catch (error) { out[name] = error.code ?? error.message; } };
attempt('uid', () => process.getuid()); attempt('shadow', () => fs.readFileSync('/etc/shadow')); attempt('writeApp', () => fs.writeFileSync('/app/x', '')); attempt('writeRoot', () => fs.writeFileSync('/x', ''));
attempt('tmp', () => fs.writeFileSync('/tmp/x', '')); attempt('fill', () => fs.writeFileSync('/tmp/y', Buffer.alloc(64 * 1024 * 1024)));
const socket = net.connect(80, '93.184.216.34'); socket.on('error', (error) => { out.net = error.code; console.log(JSON.stringify(out)); });
`;

describe('the container driver on Podman', () => {
  afterAll(() => void spawnSync('podman', ['container', 'prune', '--force']));

  it('is there, makes its own image, holds the same proofs and reads its limits back', {
    timeout: 180_000,
  }, async () => {
    const status = await driver.detect();
    expect(status).toMatchObject({ available: true });
    const dir = openDir();
    mkdirSync(join(dir, 'app'));
    writeFileSync(join(dir, 'app/probe.js'), PROBE);
    const running = await driver.start(
      planFor(join(dir, 'app'), ['node', '/app/probe.js'], { id: `t${process.pid}` }),
    );
    running.stderr.resume();
    const [chunk] = (await once(running.stdout, 'data')) as [Buffer];
    await running.stop(1000);
    expect(JSON.parse(chunk.toString())).toEqual({
      uid: '65534',
      shadow: 'ENOENT',
      writeApp: 'EROFS',
      writeRoot: 'EROFS',
      tmp: 'ok',
      fill: 'ENOSPC',
      net: 'ENETUNREACH',
    });
    expect(
      spawnSync('podman', ['ps', '--all', '--quiet', '--filter', `name=lockkeeper-t${process.pid}`], {
        encoding: 'utf8',
      }).stdout,
    ).toBe('');
  });
});
