/** Lines of a policy as Cedar. */
import { WEEKDAYS } from './conditions.ts';
import type { Exemption } from './parse.ts';
import { nearTeam, nearUser } from './principal.ts';
import type { Ask, Conditions, Need, Rate, Rule, Selection, Who } from './rules.ts';
import { ACTION_OF, ENTITY_OF, itemId } from './schema.ts';

/** One Cedar policy for each who, server and name of the line. */
export function cedarOf(rule: Rule): string[] {
  const scopes = resourceScopes(rule.selection);
  return rule.who.flatMap((who) => scopes.map((scope) => policy(rule, who, scope)));
}

interface Scope {
  readonly action: string;
  readonly resource: string;
}

function policy(rule: Rule, who: Who, { action, resource }: Scope): string {
  const { effect, ask, rate, selection, conditions } = rule;
  const vouched = who.kind === 'everyone' && effect === 'permit' ? ['principal.vouched'] : [];
  const terms = [...vouched, ...needTerms(selection.needs), ...conditionTerms(conditions, effect)];
  const when = terms.length === 0 ? '' : `\nwhen { ${terms.join(' && ')} }`;
  return `${marksOf(ask)}${boundOf(rate)}${effect} (${effect === 'permit' ? principalOf(who) : refusedTo(who)}, ${action}, ${resource})${when};`;
}

function marksOf(ask: Ask | null): string {
  return ask === null ? '' : `@ask("${ask.people}")\n@minutes("${ask.minutes}")\n`;
}

/** Of what is counted and never asked of Cedar: for people to read. */
function boundOf(rate: Rate | null): string {
  if (rate === null) return '';
  const { calls, ms, together } = rate;
  return `@calls("${calls}")\n@seconds("${ms / 1000}")\n${together ? '@together("")\n' : ''}`;
}

function principalOf(who: Who): string {
  if (who.kind === 'team') return `principal in Team::${text(who.name)}`;
  return who.kind === 'user' ? `principal == User::${text(who.name)}` : 'principal';
}

/** A team or a person, also by a name that only the size of its letters tells from theirs. */
function refusedTo(who: Who): string {
  if (who.kind === 'team') return `principal in Team::${text(nearTeam(who.name))}`;
  return who.kind === 'user' ? `principal in Team::${text(nearUser(who.name))}` : 'principal';
}

function resourceScopes({ kinds, servers, names }: Selection): Scope[] {
  const actions = [...new Set(kinds.map((kind) => `Action::"${ACTION_OF[kind]}"`))];
  const [only] = actions;
  const action = actions.length === 1 ? `action == ${only}` : `action in [${actions.join(', ')}]`;
  if (servers.length === 0) return [{ action, resource: 'resource' }];
  if (names.length === 0)
    return servers.map((server) => ({ action, resource: `resource in Server::${text(server)}` }));
  return servers.flatMap((server) =>
    names.flatMap((name) =>
      kinds.map((kind) => ({
        action,
        resource: `resource == ${ENTITY_OF[kind]}::${text(itemId(server, name))}`,
      })),
    ),
  );
}

function needTerms(needs: readonly Need[]): string[] {
  return needs.map((need) => (need.startsWith('!') ? `!resource.${need.slice(1)}` : `resource.${need}`));
}

/** Arguments hold `surely` for a permission; for a prohibition it is enough that they may. */
function conditionTerms(conditions: Conditions, effect: Rule['effect']): string[] {
  const { environments, where, weekdays, between, until } = conditions;
  const set = effect === 'permit' ? 'surely' : 'maybe';
  return [
    ...any(environments.map((name) => `context.environment == ${text(name)}`)),
    ...where.map((predicate) => `context.${set}.contains(${text(predicate.text)})`),
    ...any(WEEKDAYS.filter((day) => weekdays.includes(day)).map((day) => `context.weekday == "${day}"`)),
    ...(between === null ? [] : [betweenTerm(between)]),
    ...(until === null ? [] : [`context.day <= ${until}`]),
  ];
}

function betweenTerm([from, before]: readonly [number, number]): string {
  const [after, until] = [`context.minute >= ${from}`, `context.minute < ${before}`];
  return from < before ? `${after} && ${until}` : `(${after} || ${until})`;
}

function any(terms: readonly string[]): string[] {
  if (terms.length === 0) return [];
  return [terms.length === 1 ? (terms[0] ?? '') : `(${terms.join(' || ')})`];
}

interface FlowPolicy {
  readonly cedar: string;
  readonly line: number;
  readonly ask: Ask | null;
}

const SENDS_AFTER_READING = 'resource.sendsOut && context.readUntrusted && context.readPrivate';

/** A session that has read both may not send out, but for those whom a line lets, and calls that people are asked about. */
export function flowsCedar(exempt: readonly Exemption[]): FlowPolicy[] {
  const line = exempt[0]?.line ?? 1;
  const free = exempt.filter(({ ask }) => ask === null);
  const scopes = [
    ['action == Action::"call", resource', exempt],
    ['action == Action::"get", resource', free],
    ['action == Action::"read", resource is Template', free],
  ] as const;
  return scopes.map(([scope, but]) => {
    const terms = but.flatMap(({ who }) => who.map(exactly));
    const unless = terms.length === 0 ? '' : `\nunless { ${terms.join(' || ')} }`;
    const cedar = `forbid (principal, ${scope})\nwhen { ${SENDS_AFTER_READING} }${unless};`;
    return { cedar, line, ask: null };
  });
}

/** For calls of those whom a line lets ask: people lift it. Who may without asking is not asked about. */
export function askedFlowsCedar(exempt: readonly Exemption[]): FlowPolicy[] {
  const free = exempt.filter(({ ask }) => ask === null).flatMap(({ who }) => who.map(exactly));
  const unless = free.length === 0 ? '' : `\nunless { ${free.join(' || ')} }`;
  return exempt.flatMap(({ line, who, ask }) =>
    ask === null
      ? []
      : who.map((one) => ({
          cedar: `${marksOf(ask)}forbid (principal, action == Action::"call", resource)\nwhen { ${SENDS_AFTER_READING} && ${exactly(one)} }${unless};`,
          line,
          ask,
        })),
  );
}

function exactly(who: Who): string {
  if (who.kind === 'everyone') return 'principal.vouched';
  return who.kind === 'anyone' ? 'true' : principalOf(who);
}

/** A string of Cedar. The text of a policy holds no control characters, so that this is JSON's form. */
function text(value: string): string {
  return JSON.stringify(value);
}
