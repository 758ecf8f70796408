/**
 * Compiles an OCI seccomp profile to classic BPF, for bubblewrap, which takes the program itself. Layout of
 * `struct seccomp_data`: nr at 0, arch at 4, six 64-bit arguments from 16 (linux/seccomp.h).
 */
import { readFileSync } from 'node:fs';
import { LockkeeperError } from '../../schemas/errors.ts';
import { type Static, Type } from '../../schemas/type.ts';
import { assertValid } from '../../schemas/validate.ts';

const Profile = Type.Object({
  defaultErrnoRet: Type.Integer(),
  syscalls: Type.Array(
    Type.Object({
      names: Type.Array(Type.String()),
      action: Type.Union([Type.Literal('SCMP_ACT_ALLOW'), Type.Literal('SCMP_ACT_ERRNO')]),
      errnoRet: Type.Optional(Type.Integer()),
      args: Type.Optional(
        Type.Array(
          Type.Object({
            index: Type.Integer({ minimum: 0, maximum: 5 }),
            value: Type.Integer({ minimum: 0 }),
            valueTwo: Type.Optional(Type.Integer()),
            op: Type.Union([Type.Literal('SCMP_CMP_EQ'), Type.Literal('SCMP_CMP_MASKED_EQ')]),
          }),
        ),
      ),
    }),
  ),
});
type Profile = Static<typeof Profile>;
type Rule = Profile['syscalls'][number];
export type Architecture = 'x64' | 'arm64';

const AUDIT_ARCH: Readonly<Record<Architecture, number>> = { x64: 0xc000003e, arm64: 0xc00000b7 };
const X32_BIT = 0x40000000;
const ALLOW = 0x7fff0000;
const KILL_PROCESS = 0x80000000;
const errno = (value: number): number => 0x00050000 | value;

const LOAD = 0x20;
const EQUAL = 0x15;
const AT_LEAST = 0x35;
const AND = 0x54;
const RETURN = 0x06;

type Instruction = readonly [code: number, yes: number, no: number, value: number];

export const PROFILE_PATH = new URL('./seccomp-profile.json', import.meta.url);

/** The product's profile as a BPF program for this machine's architecture. */
export function defaultProgram(arch: Architecture): Buffer {
  const read = (url: URL): unknown => JSON.parse(readFileSync(url, 'utf8'));
  const numbers = read(new URL('./syscalls.json', import.meta.url)) as Record<
    Architecture,
    Record<string, number>
  >;
  return compile(assertValid(Profile, read(PROFILE_PATH), 'the seccomp profile'), numbers[arch], arch);
}

/** Any foreign architecture kills; x32 numbers and everything unlisted return the profile's errno. */
export function compile(
  profile: Profile,
  numbers: Readonly<Record<string, number>>,
  arch: Architecture,
): Buffer {
  const program: Instruction[] = [
    [LOAD, 0, 0, 4],
    [EQUAL, 1, 0, AUDIT_ARCH[arch]],
    [RETURN, 0, 0, KILL_PROCESS],
    [LOAD, 0, 0, 0],
  ];
  if (arch === 'x64') program.push([AT_LEAST, 0, 1, X32_BIT], [RETURN, 0, 0, errno(profile.defaultErrnoRet)]);
  for (const rule of profile.syscalls) {
    for (const name of rule.names) {
      const number = numbers[name];
      if (number !== undefined) program.push(...ruleFor(number, rule));
    }
  }
  program.push([RETURN, 0, 0, errno(profile.defaultErrnoRet)]);
  return encode(program);
}

/** One syscall: skip the block unless the number fits; inside, every argument must fit before the action returns. */
function ruleFor(number: number, rule: Rule): Instruction[] {
  const action = rule.action === 'SCMP_ACT_ALLOW' ? ALLOW : errno(rule.errnoRet ?? 1);
  const checks = rule.args ?? [];
  if (checks.length === 0)
    return [
      [EQUAL, 0, 1, number],
      [RETURN, 0, 0, action],
    ];
  const body: Instruction[] = [];
  const sizes = checks.map((check) => (check.op === 'SCMP_CMP_EQ' ? 2 : 3));
  let left = sizes.reduce((sum, size) => sum + size, 0) + 1;
  for (const [i, check] of checks.entries()) {
    left -= sizes[i] ?? 0;
    const masked = check.op === 'SCMP_CMP_MASKED_EQ';
    body.push([LOAD, 0, 0, 16 + 8 * check.index]);
    if (masked) body.push([AND, 0, 0, check.value >>> 0]);
    body.push([EQUAL, 0, left, (masked ? (check.valueTwo ?? 0) : check.value) >>> 0]);
  }
  body.push([RETURN, 0, 0, action], [LOAD, 0, 0, 0]);
  return [[EQUAL, 0, body.length, number], ...body];
}

function encode(program: readonly Instruction[]): Buffer {
  const bytes = Buffer.alloc(program.length * 8);
  for (const [i, [code, yes, no, value]] of program.entries()) {
    if (yes > 255 || no > 255) {
      throw new LockkeeperError('INTERNAL', {
        expected: 'jumps of at most 255',
        found: `${Math.max(yes, no)}`,
        next: 'Split the profile',
      });
    }
    bytes.writeUInt16LE(code, i * 8);
    bytes.writeUInt8(yes, i * 8 + 2);
    bytes.writeUInt8(no, i * 8 + 3);
    bytes.writeUInt32LE(value >>> 0, i * 8 + 4);
  }
  return bytes;
}
