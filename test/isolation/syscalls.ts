/**
 * System calls that no server needs. Each is made with words that the kernel answers otherwise than EPERM or ENOSYS when
 * nothing stands before it, and that do nothing: a wrong flag, a null pointer, a descriptor that is none.
 */
import type { Program } from './elf.ts';

const NEWUSER = 0x10000000;
const NEWNS = 0x20000;
const SIGCHLD = 17;
const [DGRAM, RAW, SEQPACKET] = [2, 3, 5];
const none = 2n ** 64n - 1n;
const socket = (family: number, kind = DGRAM, protocol = 0): Program => ({
  number: 41,
  words: [family, kind, protocol],
});
const call = (number: number, ...words: (number | bigint)[]): Program => ({ number, words });

/** Name -> what is made of it. Numbers are those of x86-64. */
export const SYSCALLS: Readonly<Record<string, Program>> = {
  mount: call(165, 0, 0, 0, 0, 0),
  umount2: call(166, 0, 0),
  pivot_root: call(155, 0, 0),
  chroot: call(161, 0),
  fsopen: call(430, 0, 0),
  open_tree: call(428, none, 0, 0),
  move_mount: call(429, none, 0, none, 0, 0xffff),
  mount_setattr: call(442, none, 0, 0xffff, 0, 0),
  'unshare, user': call(272, NEWUSER),
  'unshare, mounts': call(272, NEWNS),
  'clone, user': call(56, NEWUSER | SIGCHLD, 0, 0, 0, 0),
  'clone, mounts': call(56, NEWNS | SIGCHLD, 0, 0, 0, 0),
  clone3: call(435, 0, 0),
  setns: call(308, none, 0),
  bpf: call(321, 9999, 0, 0),
  perf_event_open: call(298, 0, 0, none, none, 0),
  io_uring_setup: call(425, 0, 0),
  userfaultfd: call(323, 0xff),
  keyctl: call(250, 0, none - 2n, 0),
  add_key: call(248, 0, 0, 0, 0, 0),
  request_key: call(249, 0, 0, 0, 0),
  'ptrace, self': call(101, 0, 0, 0, 0),
  process_vm_readv: call(310, 0x3ffffff, 0, 0, 0, 0, 0),
  process_vm_writev: call(311, 0x3ffffff, 0, 0, 0, 0, 0),
  pidfd_getfd: call(438, none, 0, 0),
  open_by_handle_at: call(304, none, 0, 0),
  fanotify_init: call(300, 0xffffffff, 0),
  quotactl: call(179, 0xffffff00, 0, 0, 0),
  syslog: call(103, 10, 0, 0),
  iopl: call(172, 4),
  ioperm: call(173, 70_000, 1, 1),
  modify_ldt: call(154, 0, 0, 0),
  personality: call(135, 0x0040000),
  reboot: call(169, 0, 0, 0, 0),
  kexec_load: call(246, 0, 0xffff, 0, 0),
  init_module: call(175, 0, 0, 0),
  swapon: call(167, 0, 0),
  acct: call(163, 1),
  clock_settime: call(227, 0, 0),
  sethostname: call(170, 0, none),
  'socket, vsock': socket(40, 1),
  'socket, packet': socket(17, RAW),
  'socket, raw IP': socket(2, RAW, 1),
  'socket, netfilter': socket(16, RAW, 12),
  'socket, audit': socket(16, RAW, 9),
  'socket, crypto': socket(38, SEQPACKET),
  'socket, IPsec keys': socket(15, RAW, 2),
  'socket, XDP': socket(44, RAW),
  'socket, Bluetooth': socket(31, RAW, 1),
  'getpid, x32': call(0x40000000 + 39),
  'getpid, 32-bit': { number: 20, by: 'int80' },
};

/** ENOSYS, EPROTONOSUPPORT, ESOCKTNOSUPPORT, EAFNOSUPPORT: the kernel has no such thing. */
export const NOT_THERE: ReadonlySet<number> = new Set([38, 93, 94, 97]);
export const EPERM = 1;
