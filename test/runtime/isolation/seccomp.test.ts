import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { compile, defaultProgram } from '../../../runtime/isolation/seccomp.ts';
import { driver, openDir, planFor } from '../../helpers/sandbox.ts';

// Each call with arguments that a kernel without a filter answers otherwise than EPERM.
const PROBE = `
import ctypes, json, os, socket
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *words):
    ctypes.set_errno(0)
    libc.syscall(number, *words)
    return ctypes.get_errno()
out = {}
out['io_uring_setup'] = call(425, 0, 0)
out['keyctl'] = call(250, 0, -3, 0)
out['ptrace'] = call(101, 99999, 0, 0, 0)
out['bpf'] = call(321, 9999, 0, 0)
out['perf'] = call(298, 0, 0, -1, -1, 0)
out['getpid'] = call(39)
def open_socket(family, kind, protocol=0):
    try:
        socket.socket(family, kind, protocol).close()
        return 0
    except OSError as error:
        return error.errno
out['vsock'] = open_socket(40, socket.SOCK_STREAM)
out['packet'] = open_socket(17, socket.SOCK_RAW)
out['inet'] = open_socket(socket.AF_INET, socket.SOCK_STREAM)
out['unix'] = open_socket(socket.AF_UNIX, socket.SOCK_STREAM)
print(json.dumps(out))
`;
const EPERM = 1;

describe('the seccomp filter', () => {
  it('refuses what the same probe can ask outside of it', async () => {
    const dir = openDir();
    writeFileSync(join(dir, 'probe.py'), PROBE);
    const control = JSON.parse(
      spawnSync('/usr/bin/python3', [join(dir, 'probe.py')], { encoding: 'utf8' }).stdout,
    ) as Record<string, number>;
    expect(control.ptrace).not.toBe(EPERM);
    expect(control.io_uring_setup).not.toBe(EPERM);
    expect(control.vsock).toBe(0);
    const inside = await driver.start(planFor(dir, ['/usr/bin/python3', '/app/probe.py']));
    inside.stderr.resume();
    const [chunk] = (await once(inside.stdout, 'data')) as [Buffer];
    await inside.exited;
    expect(JSON.parse(chunk.toString())).toEqual({
      io_uring_setup: EPERM,
      keyctl: EPERM,
      ptrace: EPERM,
      bpf: EPERM,
      perf: EPERM,
      getpid: 0,
      vsock: EPERM,
      packet: EPERM,
      inet: 0,
      unix: 0,
    });
  });

  it('compiles for both architectures, eight bytes an instruction', () => {
    for (const arch of ['x64', 'arm64'] as const) {
      const program = defaultProgram(arch);
      expect(program.length % 8).toBe(0);
      expect(program.length / 8).toBeGreaterThan(500);
      expect(program.length / 8).toBeLessThan(4096);
    }
  });

  it('compares arguments before it allows', () => {
    const rule = {
      names: ['socket'],
      action: 'SCMP_ACT_ALLOW' as const,
      args: [{ index: 0, value: 1, op: 'SCMP_CMP_EQ' as const }],
    };
    const program = compile({ defaultErrnoRet: 1, syscalls: [rule] }, { socket: 41 }, 'x64');
    expect(program.length / 8).toBe(4 + 2 + 1 + 4 + 1);
  });
});
