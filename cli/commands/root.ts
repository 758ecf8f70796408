import { LockkeeperError, quote } from '../../schemas/errors.ts';
import type { Command } from '../command.ts';
import { follow, VERBS } from '../root/verbs.ts';

/** `lk keys root VERB FILE` */
export const root: Command = {
  summary: 'make the next root of trust with its other holders, by passing a file',
  words: 'init|add|remove|rotate|set|show|sign|submit FILE, or follow',
  options: {
    person: { type: 'string' },
    role: { type: 'string', multiple: true },
    'public-key': { type: 'string' },
    issuer: { type: 'string' },
    san: { type: 'string' },
    'trusted-root': { type: 'string' },
    'keep-days': { type: 'string' },
    key: { type: 'string' },
    previous: { type: 'string' },
    threshold: { type: 'string', multiple: true },
    'lock-hours': { type: 'string' },
    'approval-days': { type: 'string' },
    grace: { type: 'string', multiple: true },
    witness: { type: 'string', multiple: true },
    'no-witness': { type: 'string', multiple: true },
    'witnesses-needed': { type: 'string' },
    'min-lock': { type: 'string', multiple: true },
    'trust-root': { type: 'string', multiple: true },
    'valid-days': { type: 'string' },
  },
  optionHelp: {
    person: 'add, remove, rotate: whose key',
    role: 'root, approver, revoker, lock, scanner; rotate also takes log; repeat',
    'public-key': 'add, rotate: file with the public key, as lk keys show prints it',
    issuer: 'add: who issues the tokens of an identity that signs without a key',
    san: 'add --issuer: the name in its certificates, exactly',
    'trusted-root': 'add --issuer: trusted_root.json of the sigstore instance that gives them',
    'keep-days': 'rotate: the key before it counts so many days more (0: no longer)',
    key: 'sign: name of your key file (default: your name)',
    previous:
      'sign: digest of the root before it, as you compared it: for a machine that does not know that root',
    threshold: 'set: ROLE=COUNT persons; repeat',
    'lock-hours': 'set: the longest that a lock may live',
    'approval-days': 'set: the longest that an approval may live',
    grace: 'set: ENVIRONMENT=HOURS that running servers may go on after their lock ended; repeat',
    witness: 'set: key of a witness, as lk witness prints it; repeat',
    'no-witness': 'set: a witness to leave out, by name or key; repeat',
    'witnesses-needed': 'set: how many of them a checkpoint takes',
    'min-lock': 'set: PROJECT=VERSION, below which locks are refused; repeat',
    'trust-root': 'set: NAME=sha256:… of a trust root of package signatures; repeat',
    'valid-days': 'set: how long this root is valid (365)',
  },
  examples: [
    'lk keys root init next.json',
    'lk keys root add next.json --role root --person alice --public-key alice.pub',
    'lk keys root add next.json --role revoker --person ci --issuer https://ci.example --san release@ci.example --trusted-root root.json',
    'lk keys root remove next.json --role root --person lockkeeper',
    'lk keys root set next.json --threshold root=2',
    'lk keys root sign next.json --key alice',
    'lk keys root submit next.json',
    'lk keys root follow',
  ],
  arity: [1, 2],
  async run(context, [verb = '', path], values) {
    if (verb === 'follow' && path === undefined) return follow(context, values);
    const act = Object.hasOwn(VERBS, verb) ? VERBS[verb] : undefined;
    if (act && path !== undefined) return act(context, path, values);
    throw new LockkeeperError('USAGE', {
      expected: `lk keys root ${root.words}`,
      found: quote([verb, path].filter(Boolean).join(' ')),
      next: 'See: lk keys root --help',
    });
  },
};
