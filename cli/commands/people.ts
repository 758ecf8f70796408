import { CodeView, PeopleList, PersonView, RemovedView, type RoleName, Roles } from '../../schemas/api.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { LinkView } from '../../schemas/sign-in.ts';
import { assertValid } from '../../schemas/validate.ts';
import type { Api } from '../api.ts';
import { type Command, type Context, option, type Result, required, type Values } from '../command.ts';
import { minute, table } from '../output.ts';

export const people: Command = {
  summary: 'add people, change their roles, give sign-in codes, link accounts, let them go',
  words: '[list] | add PERSON --roles ROLES | code PERSON | link PERSON SUBJECT | remove PERSON',
  options: {
    roles: option.text('comma-separated: admin, reviewer, publisher, developer, auditor, runtime'),
  },
  examples: [
    'lk people list',
    'lk people add alice --roles reviewer,developer',
    'lk people code alice',
    'lk people link alice 00u1b2c3d4',
    'lk people remove alice',
  ],
  arity: [0, 3],
  async run(context, [verb = 'list', person, subject], values) {
    const act = Object.hasOwn(VERBS, verb) ? VERBS[verb] : undefined;
    const fits =
      (person === undefined) === (verb === 'list') && (subject !== undefined) === (verb === 'link');
    if (!act || !fits) {
      throw new LockkeeperError('USAGE', {
        expected: `lk people ${people.words}`,
        found: quote([verb, person, subject].filter(Boolean).join(' ')),
        next: 'See: lk people --help',
      });
    }
    return act(await context.api(), { context, person: person ?? '', subject: subject ?? '', values });
  },
};

interface Words {
  readonly context: Context;
  readonly person: string;
  readonly subject: string;
  readonly values: Values;
}

const VERBS: Readonly<Record<string, (api: Api, words: Words) => Promise<Result>>> = {
  list,
  add,
  code,
  link,
  remove,
};

async function list(api: Api): Promise<Result> {
  const view = await api.call('peopleList', PeopleList);
  const rows = view.people.map(({ person, roles, seen }) => [person, roles.join(', '), seenText(seen)]);
  return { data: view, text: table(['PERSON', 'ROLES', 'SIGNS IN'], rows) };
}

function seenText(seen: string | null | undefined): string {
  if (seen === undefined) return 'with codes';
  return seen === null ? 'by the provider, not yet' : `by the provider, last ${minute(seen)} UTC`;
}

async function add(api: Api, { context, person, values }: Words): Promise<Result> {
  const words = required(
    values,
    'roles',
    'some of admin, reviewer, publisher, developer, auditor and runtime, comma-separated',
  ).split(',') as RoleName[];
  const roles = assertValid(Roles, words, '--roles', 'USAGE');
  const view = await api.call('people', PersonView, { body: { person, roles } });
  const head = `${context.paint.bold(view.person)} may sign in as ${view.roles.join(', ')} with (once, until ${minute(view.codeExpires)} UTC):`;
  return { data: view, text: `${head}${howTo(api, view)}${voidedText(view)}` };
}

async function code(api: Api, { context, person }: Words): Promise<Result> {
  const view = await api.call('personCode', CodeView, { parameters: { person }, body: {} });
  const head = `${context.paint.bold(view.person)} may sign in with (once, until ${minute(view.codeExpires)} UTC):`;
  return { data: view, text: `${head}${howTo(api, view)}` };
}

async function link(api: Api, { context, person, subject }: Words): Promise<Result> {
  const view = await api.call('personLink', LinkView, { parameters: { person }, body: { subject } });
  const who = context.paint.bold(view.person);
  return {
    data: view,
    text: `${who} is ${view.subject} of ${view.issuer} from now on, for good. What ${view.person} was signed in with before has ended.`,
  };
}

async function remove(api: Api, { context, person }: Words): Promise<Result> {
  const view = await api.call('personRemove', RemovedView, { parameters: { person }, body: {} });
  return {
    data: view,
    text: `${context.paint.bold(view.person)} can no longer sign in.${voidedText(view)}${orphanedText(view)}`,
  };
}

function orphanedText({ person, orphaned }: { person: string; orphaned: readonly string[] }): string {
  return orphaned
    .map((name) => `\n${person} owned ${name}, which is published no more until: lk owner ${name} PERSON`)
    .join('');
}

function howTo(api: Api, view: { person: string; code: string }): string {
  return `\n\n  lk login ${api.registry} --code ${view.code}\n\nGive the code to ${view.person} alone: whoever uses it is ${view.person}.`;
}

function voidedText(view: { person: string; voided: number; rootPending: boolean }): string {
  const { person, voided, rootPending } = view;
  if (rootPending)
    return `\nThe root still names ${person}'s key: have its holders take it out with: lk keys root init next.json, then lk keys root remove next.json --person ${person} --role approver --role revoker`;
  if (voided === 0) return '';
  const what = voided === 1 ? '1 approved release rests' : `${voided} approved releases rest`;
  return `\n${what} on an approval of ${person} that no longer counts: have them approved again by others.`;
}
