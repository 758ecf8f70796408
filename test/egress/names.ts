/** Names that lead where they may not, and hosts that are written so that somebody takes them for others. */
import type { Name } from './dns.ts';
import { hello, names } from './hello.ts';
import { API, EVIL, MACHINE, NEIGHBOURS, ONLY_INSIDE, OUTSIDE } from './places.ts';
import type { Row } from './row.ts';
import { proxied, tunnel } from './speak.ts';

const OUT = OUTSIDE.api[0];
const isHere = (address: string): boolean =>
  address.startsWith('127.') || address === '::1' || address === MACHINE.four || address === MACHINE.six;
const isInside = (address: string): boolean => NEIGHBOURS.includes(address) || isHere(address);

/** The permitted name leads somewhere else than outside. */
function leads(
  id: string,
  attack: string,
  name: Name,
  more: { port?: number; twice?: boolean; pinned?: boolean } = {},
): Row {
  const { port = 443, twice = false, pinned = false } = more;
  return proxied({
    id,
    attack,
    refuses: 'a connection to where the name leads',
    recorded: pinned
      ? /^allowed .* permitted, 93\.184\.216\.34$/
      : /^refused .* the name leads (?:inside|to this machine)/,
    zone: {
      [API]: name,
      'inside.example': { a: [['10.0.0.5']] },
      'metadata.example': { cname: 'cloud.example' },
      'cloud.example': { a: [['169.254.169.254']] },
    },
    twice,
    speak: (path) => tunnel(path, `${API}:${port}`),
    forbidden: ({ address }) => isInside(address),
  });
}

const rebinding: readonly Row[] = [
  leads(
    'rebind to a neighbour',
    'the first answer is outside, the second private',
    { a: [[OUT], ['10.0.0.5']] },
    { twice: true, pinned: true },
  ),
  leads(
    'rebind to loopback',
    'the first answer is outside, the second 127.0.0.1',
    { a: [[OUT], ['127.0.0.1']] },
    { twice: true, pinned: true },
  ),
  leads(
    'rebind to metadata',
    'the first answer is outside, the second 169.254.169.254',
    { a: [[OUT], ['169.254.169.254']] },
    { twice: true, pinned: true },
  ),
  leads(
    'two addresses, the second private',
    'A has one outside, which is shut, and 10.0.0.5',
    { a: [[OUT, '10.0.0.5']] },
    { port: ONLY_INSIDE },
  ),
  leads(
    'two addresses, the first private',
    'A has 10.0.0.5 and one outside, which is shut',
    { a: [['10.0.0.5', OUT]] },
    { port: ONLY_INSIDE },
  ),
  leads(
    'A outside, AAAA private',
    'version 4 leads outside, which is shut, version 6 inside',
    { a: [[OUT]], aaaa: ['fd00:ec2::254'] },
    { port: ONLY_INSIDE },
  ),
  leads('AAAA alone, private', 'there is version 6 alone, inside', { aaaa: ['fd00:ec2::254'] }),
  leads('CNAME to a private name', 'an alias of a name that is inside', { cname: 'inside.example' }),
  leads('CNAME to metadata', 'an alias of an alias of 169.254.169.254', { cname: 'metadata.example' }),
];

const places: Readonly<Record<string, string>> = {
  'this network, 0.0.0.0': '0.0.0.0',
  'loopback, 127.0.0.1': '127.0.0.1',
  'loopback, 127.9.9.9': '127.9.9.9',
  'private, 10.0.0.5': '10.0.0.5',
  'private, 172.16.5.5': '172.16.5.5',
  'private, 192.168.1.1': '192.168.1.1',
  'link-local, AWS, GCP, Azure, 169.254.169.254': '169.254.169.254',
  'ECS, 169.254.170.2': '169.254.170.2',
  'carrier-grade NAT, Alibaba, 100.100.100.200': '100.100.100.200',
  'Azure, 168.63.129.16': '168.63.129.16',
  'Oracle, 192.0.0.192': '192.0.0.192',
  'measuring, 198.18.0.1': '198.18.0.1',
  'the machine’s own address outside': MACHINE.four,
};
const sixths: Readonly<Record<string, string>> = {
  'loopback, ::1': '::1',
  'AWS, fd00:ec2::254': 'fd00:ec2::254',
  'GCP, fd20:ce::254': 'fd20:ce::254',
  'mapped, ::ffff:10.0.0.5': '::ffff:10.0.0.5',
  'NAT64, 64:ff9b::a00:5': '64:ff9b::a00:5',
  '6to4, 2002:a00:5::1': '2002:a00:5::1',
  'the machine’s own address outside, version 6': MACHINE.six,
};

const leading: readonly Row[] = [
  ...Object.entries(places).map(([id, address]) =>
    leads(`leads to ${id}`, `A is ${address}`, { a: [[address]] }),
  ),
  ...Object.entries(sixths).map(([id, address]) =>
    leads(`leads to ${id}`, `AAAA is ${address}`, { aaaa: [address] }),
  ),
];

function written(
  id: string,
  target: string,
  recorded: RegExp,
  zone: Readonly<Record<string, Name>> = {},
): Row {
  return proxied({
    id: `host ${id}`,
    attack: `CONNECT ${target}`,
    refuses: 'a connection to it',
    recorded,
    zone,
    speak: (path) => tunnel(path, target, [hello(names(target.slice(0, target.lastIndexOf(':'))))]),
    forbidden: () => true,
  });
}

const ADDRESS = /^refused .* addresses are not names$/;
const NO_NAME = /^refused .* this is not a name$/;
const OTHER = /^refused .* not among the permitted hosts$/;
const evil: Name = { a: [[OUTSIDE.evil[0]]] };

const spelled: readonly Row[] = [
  written('as an address', `${OUTSIDE.evil[0]}:443`, ADDRESS),
  written('as the address of the permitted name', `${OUT}:443`, ADDRESS),
  written('as a private address', '10.0.0.5:443', ADDRESS),
  written('as one decimal number', '167772165:443', ADDRESS),
  written('as one hexadecimal number', '0x0a000005:443', ADDRESS),
  written('in octal', '012.0.0.05:443', ADDRESS),
  written('in short', '10.5:443', ADDRESS),
  written('in several bases', '0x0a.0.0.05:443', ADDRESS),
  written('of version 6', '[fd00:ec2::254]:443', ADDRESS),
  written('mapped into version 6', '[::ffff:10.0.0.5]:443', ADDRESS),
  written('that nobody permitted', `${EVIL}:443`, OTHER),
  written('in capitals', 'EVIL.EXAMPLE:443', OTHER),
  written('with the permitted name before it', `${API}.${EVIL}:443`, OTHER, { [`${API}.${EVIL}`]: evil }),
  written('with the permitted name behind it', `evil${API}:443`, OTHER, { [`evil${API}`]: evil }),
  written('that is a permitted suffix alone', 'tenant.example:443', OTHER, { 'tenant.example': evil }),
  written('with a dot at the end', `${EVIL}.:443`, NO_NAME),
  written('permitted, with a dot at the end', `${API}.:443`, NO_NAME),
  written('that looks like the permitted one, in Punycode', 'xn--pi-7kc.example.com:443', OTHER, {
    'xn--pi-7kc.example.com': evil,
  }),
  written(
    'behind the permitted one and an @',
    `${API}@${EVIL}:443`,
    /^refused .* a target with credentials$/,
  ),
  written('localhost', 'localhost:443', OTHER),
  written('at a port of its own: 22', `${API}:22`, OTHER),
  written('at a port of its own: 8080', `${API}:8080`, OTHER),
];

export const nameRows: readonly Row[] = [...rebinding, ...leading, ...spelled];
