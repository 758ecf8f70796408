import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { type Command, option } from '../command.ts';
import { follow, VERBS } from '../root/verbs.ts';

/** `lk keys root VERB FILE` */
export const root: Command = {
  summary: 'make the next root of trust with its other holders, by passing a file',
  words: 'init|add|remove|rotate|set|show|sign|submit FILE, or follow',
  options: {
    person: option.text('add, remove, rotate: whose key'),
    role: option.list('root, approver, revoker, lock, scanner; rotate also takes log; repeat'),
    'public-key': option.text('add, rotate: file with the public key, as lk keys show prints it'),
    issuer: option.text('add: who issues the tokens of an identity that signs without a key'),
    san: option.text('add --issuer: the name in its certificates, exactly'),
    'trusted-root': option.text('add --issuer: trusted_root.json of the sigstore instance that gives them'),
    'keep-days': option.text('rotate: the key before it counts so many days more (0: no longer)'),
    key: option.text('sign: name of your key file (default: your name)'),
    previous: option.text(
      'sign: digest of the root before it, as you compared it: for a machine that does not know that root',
    ),
    threshold: option.list('set: ROLE=COUNT persons; repeat'),
    'lock-hours': option.text('set: the longest that a lock may live'),
    'approval-days': option.text('set: the longest that an approval may live'),
    grace: option.list(
      'set: ENVIRONMENT=HOURS that running servers may go on after their lock ended; repeat',
    ),
    witness: option.list('set: key of a witness, as lk witness prints it; repeat'),
    'no-witness': option.list('set: a witness to leave out, by name or key; repeat'),
    'witnesses-needed': option.text('set: how many of them a checkpoint takes'),
    'min-lock': option.list('set: PROJECT=VERSION, below which locks are refused; repeat'),
    'trust-root': option.list('set: NAME=sha256:… of a trust root of package signatures; repeat'),
    'valid-days': option.text('set: how long this root is valid (365)'),
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
