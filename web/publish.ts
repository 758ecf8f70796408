/** Submitting a server for scan and review. */
import type { Permissions, Release, Submission } from '../schemas/release.ts';
import type { PublishBody } from '../schemas/server.ts';
import { ask } from './api.ts';
import { card, el, field, form, soft, textOf, tick, wordsOf } from './dom.ts';

/** The same limits that lk publish starts with. */
const LIMITS: Permissions['limits'] = { memoryMiB: 1024, cpus: 1, pids: 128, tmpMiB: 64 };

export async function publish(): Promise<HTMLElement> {
  const fields = [
    field({
      name: 'source',
      label: 'Package',
      hint: 'npm:NAME@VERSION or pypi:NAME@VERSION, one exact version, such as npm:@modelcontextprotocol/server-memory@2026.8.31. Images, bundles, repositories and addresses: lk publish',
      required: true,
    }),
    field({ name: 'name', label: 'Name in the registry', hint: 'Empty: npm.SCOPE/PACKAGE, or pypi/PACKAGE' }),
    field({ name: 'description', label: 'What it is for', hint: 'One line of at most 100 characters' }),
    field({ name: 'args', label: 'Arguments it always starts with', hint: 'One a line', rows: 2 }),
    field({
      name: 'mounts',
      label: 'Folders',
      hint: 'Inside the sandbox: /data:ro or /data:rw. Empty: none',
    }),
    field({ name: 'egress', label: 'Hosts it may reach', hint: 'host:port or *.suffix:port. Empty: none' }),
    field({ name: 'env', label: 'Variables it may be given', hint: 'Names alone. Empty: none' }),
    field({
      name: 'secrets',
      label: 'Secrets it may be given',
      hint: 'Names alone, each a file for it. Empty: none',
    }),
    field({ name: 'owner', label: 'Owner', hint: 'Who answers for it, at its first release. Empty: you' }),
    field({ name: 'team', label: 'Team', hint: 'At its first release. May be empty' }),
    tick('newSource', 'It came from another package before', 'Reviewers are told'),
  ];
  const sent = async (values: FormData): Promise<void> => {
    const release = await ask<Release>('/v1/releases', bodyOf(values));
    location.hash = `#/release/${release.id}`;
  };
  return el(
    'div',
    {},
    el('h1', {}, 'Publish a server'),
    card(
      '',
      soft(
        'It is fetched whole, started without a network, and reported on. Nobody can run it before reviewers approve it.',
      ),
      form(fields, { text: 'Submit for scan and review' }, sent),
    ),
  );
}

function bodyOf(values: FormData): PublishBody {
  const [owner, team] = [textOf(values, 'owner'), textOf(values, 'team')];
  return {
    ...submissionOf(values),
    ...(owner === '' ? {} : { owner }),
    ...(team === '' ? {} : { team }),
    ...(values.has('newSource') ? { newSource: true } : {}),
  };
}

function packageIn(source: string): Pick<Submission, 'name' | 'version' | 'description'> {
  const [, packageName = '', scope, base = '', version = ''] =
    /^npm:((?:@([^/]+)\/)?([^/@]+))@([0-9][^@]*)$/.exec(source) ?? [];
  if (version !== '') {
    const name = scope === undefined ? `npm/${base}` : `npm.${scope}/${base}`;
    return { name, version, description: `${packageName} from npm` };
  }
  const [, python = '', numbers = '', pre] =
    /^pypi:([a-z0-9-]+)@([0-9]+(?:\.[0-9]+){0,2})((?:a|b|rc)[0-9]+)?$/.exec(source) ?? [];
  if (python === '')
    throw new Error(
      `Expected npm:NAME@VERSION or pypi:NAME@VERSION with one exact version; found "${source}".`,
    );
  // Ranges choose among versions of three numbers.
  const three = [...numbers.split('.').map(Number), 0, 0].slice(0, 3).join('.');
  const release = pre === undefined ? three : `${three}-${pre}`;
  return { name: `pypi/${python}`, version: release, description: `${python} from PyPI` };
}

function submissionOf(values: FormData): Submission {
  const secrets = wordsOf(values, 'secrets');
  const source = textOf(values, 'source');
  const { name, version, description } = packageIn(source);
  return {
    name: textOf(values, 'name') || name,
    version,
    source,
    description: textOf(values, 'description') || description.slice(0, 100),
    args: textOf(values, 'args')
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== ''),
    projectArgs: false,
    permissions: {
      egress: wordsOf(values, 'egress'),
      mounts: wordsOf(values, 'mounts').map(mountOf),
      env: wordsOf(values, 'env'),
      ...(secrets.length > 0 ? { secrets } : {}),
      limits: LIMITS,
    },
  };
}

function mountOf(word: string): Permissions['mounts'][number] {
  const [, target, mode] = /^(\/[^:]+):(ro|rw)$/.exec(word) ?? [];
  if (target !== undefined && (mode === 'ro' || mode === 'rw')) return { target, mode };
  throw new Error(`Expected a folder as /data:ro or /data:rw; found "${word}".`);
}
