/**
 * Programs of some two hundred bytes that make one system call and end with its errno: nothing has to be compiled, and
 * they run in an image that holds no shell. ELF64 as of elf(5), x86-64 alone.
 */
const BASE = 0x400000n;
const HEADERS = 64 + 56;
/** mov reg, imm64 for rdi, rsi, rdx, r10, r8, r9: the order of a system call's arguments. */
const MOVES = ['48bf', '48be', '48ba', '49ba', '49b8', '49b9'];
const EXIT = 'b83c0000000f05';
/** rdi = -rax if rax < 0, else 0. */
const ERRNO = '4889c748f7df4885c0780231ff';
const VALUE = '4889c7';

export type Word = number | bigint | Buffer;

export interface Program {
  readonly number: number;
  /** A buffer is passed by its address. */
  readonly words?: readonly Word[];
  /** The exit code: the errno (0 if there is none), or the low byte of what was returned. */
  readonly exit?: 'errno' | 'value';
  /** By int 0x80, the door of 32-bit programs. */
  readonly by?: 'syscall' | 'int80';
}

export function program({ number, words = [], exit = 'errno', by = 'syscall' }: Program): Buffer {
  const enter = by === 'syscall' ? '0f05' : 'cd80';
  const tail = Buffer.from(`${enter}${exit === 'errno' ? ERRNO : VALUE}${EXIT}`, 'hex');
  const length = HEADERS + (words.length + 1) * 10 + tail.length;
  const data: Buffer[] = [];
  let at = BigInt(length);
  const moves = words.map((word, index) => {
    if (!Buffer.isBuffer(word)) return move(MOVES[index] ?? '', BigInt(word));
    data.push(word);
    const address = BASE + at;
    at += BigInt(word.length);
    return move(MOVES[index] ?? '', address);
  });
  const code = Buffer.concat([...moves, move('48b8', BigInt(number)), tail, ...data]);
  return Buffer.concat([headers(BigInt(HEADERS + code.length)), code]);
}

function move(opcode: string, value: bigint): Buffer {
  const bytes = Buffer.alloc(10);
  bytes.write(opcode, 'hex');
  bytes.writeBigUInt64LE(BigInt.asUintN(64, value), 2);
  return bytes;
}

/** One segment that may be read, written and run. */
function headers(size: bigint): Buffer {
  const bytes = Buffer.alloc(HEADERS);
  bytes.write('7f454c46020101', 'hex');
  bytes.writeUInt16LE(2, 16); // an executable
  bytes.writeUInt16LE(62, 18); // x86-64
  bytes.writeUInt32LE(1, 20);
  bytes.writeBigUInt64LE(BASE + BigInt(HEADERS), 24);
  bytes.writeBigUInt64LE(64n, 32);
  bytes.writeUInt16LE(64, 52);
  bytes.writeUInt16LE(56, 54);
  bytes.writeUInt16LE(1, 56);
  bytes.writeUInt32LE(1, 64); // PT_LOAD
  bytes.writeUInt32LE(7, 68);
  bytes.writeBigUInt64LE(BASE, 80);
  bytes.writeBigUInt64LE(BASE, 88);
  bytes.writeBigUInt64LE(size, 96);
  bytes.writeBigUInt64LE(size, 104);
  bytes.writeBigUInt64LE(0x1000n, 112);
  return bytes;
}
