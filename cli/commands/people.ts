import { PersonView, type RoleName, Roles } from '../../schemas/api.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { assertValid } from '../../schemas/validate.ts';
import { type Command, required } from '../command.ts';

export const people: Command = {
  summary: 'add a person to the registry, or change their roles (admin)',
  words: 'add PERSON --roles ROLES',
  options: { roles: { type: 'string' } },
  optionHelp: { roles: 'comma-separated: admin, reviewer, publisher, developer, auditor, runtime' },
  examples: ['lk people add alice --roles reviewer,developer', 'lk people add ci --roles runtime'],
  arity: [2, 2],
  async run(context, [verb = '', person = ''], values) {
    const roles = assertValid(
      Roles,
      required(values, 'roles', 'the roles of this person').split(',') as RoleName[],
      '--roles',
      'USAGE',
    );
    assertAdd(verb);
    const api = await context.api();
    const view = await api.call('people', PersonView, { body: { person, roles } });
    return {
      data: view,
      text: `${context.paint.bold(view.person)} may sign in as ${view.roles.join(', ')} with (once, until ${view.codeExpires}):\n\n  lk login ${api.registry} --code ${view.code}\n\nGive the code to ${view.person} alone: whoever uses it is ${view.person}.`,
    };
  },
};

function assertAdd(verb: string): void {
  if (verb !== 'add')
    throw new LockkeeperError('USAGE', {
      expected: 'lk people add',
      found: quote(verb),
      next: 'See: lk people --help',
    });
}
