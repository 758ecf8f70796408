import { type Built, builtIn } from '../provenance/standing.ts';
import { type Check, finding, firedOr, ok, unknown } from './check.ts';

const ISSUERS: ReadonlySet<string> = new Set([
  'https://token.actions.githubusercontent.com',
  'https://gitlab.com',
]);
/** Events that only those cause who may write to the repository. */
const TRIGGERS: ReadonlySet<string> = new Set([
  'push',
  'release',
  'workflow_dispatch',
  'workflow_run',
  'workflow_call',
  'schedule',
  'web',
  'api',
]);
const RELEASED_FROM = /^refs\/(?:tags\/.+|heads\/(?:main|master|release[-/].+|v?\d[\w.-]*))$/;

/** A workflow that strangers can set off, or a machine of nobody knows whom, signs as well as any other. */
export const buildPlace: Check = {
  id: 'LK-PRV-05',
  title: 'Built where and for what releases usually are',
  owasp: 'MCP04',
  about: 'package or image',
  gatesFiredOnly: true,
  readsAttested: true,
  run: ({ attested }) => {
    if (typeof attested === 'string') return unknown(attested);
    const built = builtIn(attested);
    if (built !== null) return firedOr(oddIn(built), placeOf(built));
    const { build } = attested;
    if (build.state === 'absent') return ok('there is no provenance');
    return unknown(build.state === 'unknown' ? build.reason : 'the provenance does not hold');
  },
};

function placeOf({ runner, trigger, builder }: Built): string {
  return `${runner ?? 'a runner it does not tell'}, by ${trigger ?? 'an event it does not tell'}, of ${builder.ref ?? 'a ref it does not tell'}`;
}

function oddIn({ builder, runner, trigger }: Built): ReturnType<typeof finding>[] {
  const { issuer, ref } = builder;
  const said: readonly (readonly [string, string, string | null, boolean])[] = [
    [
      'high',
      'signed by an identity of no build service that is known here',
      issuer,
      ISSUERS.has(issuer ?? ''),
    ],
    ['medium', 'built on a runner of its own', runner, runner !== 'self-hosted'],
    [
      'high',
      'built by an event that strangers can cause',
      trigger,
      trigger === null || TRIGGERS.has(trigger),
    ],
    ['low', 'built from neither a tag nor a usual branch', ref, ref === null || RELEASED_FROM.test(ref)],
  ];
  return said
    .filter(([, , , fine]) => !fine)
    .map(([severity, message, value]) =>
      finding(severity as 'high', `${message}: ${value ?? 'none'}`, [
        { kind: 'fact', source: 'certificate', value: value ?? 'none' },
      ]),
    );
}
