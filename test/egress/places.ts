/** Who is where: the addresses of the little world that the attacks are made in. */
export const API = 'api.example.com';
export const EVIL = 'evil.example';

/** What a release may reach here. */
export const ALLOW: readonly string[] = [`${API}:443`, `${API}:80`, `${API}:8443`, '*.tenant.example:443'];

export const OUTSIDE = {
  gate: ['93.184.216.1', 24],
  api: ['93.184.216.34', 24],
  evil: ['93.184.216.66', 24],
  names: ['93.184.216.53', 24],
  gate6: ['2606:2800:220:1::1', 64],
  api6: ['2606:2800:220:1::34', 64],
} as const;

/** The machine itself, as it is reached from outside. */
export const MACHINE = { four: '93.184.216.10', six: '2606:2800:220:1::10' } as const;

/** Private neighbours and what clouds have beside every machine; all of them answer. */
export const NEIGHBOURS: readonly string[] = [
  '10.0.0.5',
  '172.16.5.5',
  '192.168.1.1',
  '100.100.100.200',
  '168.63.129.16',
  '169.254.169.254',
  '169.254.170.2',
  '192.0.0.192',
  '198.18.0.1',
  'fd00:ec2::254',
  'fd20:ce::254',
  '64:ff9b::a00:5',
  '2002:a00:5::1',
];

/** A port that is open on the neighbours alone. */
export const ONLY_INSIDE = 8443;
export const UDP_PORT = 9999;
export const GROUP = '239.1.2.3';
