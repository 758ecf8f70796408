import { CodeView, PeopleList, PersonView, RemovedView, type RoleName, Roles } from '../../schemas/api.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { assertValid } from '../../schemas/validate.ts';
import type { Api } from '../api.ts';
import { type Command, type Context, option, type Result, required, type Values } from '../command.ts';
import { minute, table } from '../output.ts';

export const people: Command = {
  summary: 'add people, change their roles, give them sign-in codes, let them go',
  words: '[list] | add PERSON --roles ROLES | code PERSON | remove PERSON',
  options: {
    roles: option.text('comma-separated: admin, reviewer, publisher, developer, auditor, runtime'),
  },
  examples: [
    'lk people list',
    'lk people add alice --roles reviewer,developer',
    'lk people code alice',
    'lk people remove alice',
  ],
  arity: [0, 2],
  async run(context, [verb = 'list', person], values) {
    const act = Object.hasOwn(VERBS, verb) ? VERBS[verb] : undefined;
    if (!act || (person === undefined) !== (verb === 'list')) {
      throw new LockkeeperError('USAGE', {
        expected: `lk people ${people.words}`,
        found: quote([verb, person].filter(Boolean).join(' ')),
        next: 'See: lk people --help',
      });
    }
    return act(await context.api(), { context, person: person ?? '', values });
  },
};

interface Words {
  readonly context: Context;
  readonly person: string;
  readonly values: Values;
}

const VERBS: Readonly<Record<string, (api: Api, words: Words) => Promise<Result>>> = {
  list,
  add,
  code,
  remove,
};

async function list(api: Api): Promise<Result> {
  const view = await api.call('peopleList', PeopleList);
  const rows = view.people.map(({ person, roles }) => [person, roles.join(', ')]);
  return { data: view, text: table(['PERSON', 'ROLES'], rows) };
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
