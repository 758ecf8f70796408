/** Calls that wait for people, as they come and go. Approving signs on the reviewer's machine; rejecting takes a reason. */
import type { CallList, CallView } from '../schemas/call.ts';
import type { LocalView } from '../schemas/local.ts';
import { ask, local, me } from './api.ts';
import { type Child, card, el, facts, field, form, short, soft, tag, textOf } from './dom.ts';
import { cannotSign } from './signing.ts';

/** Between looks at the registry while the page is open, ms. */
const LOOK_MS = 2000;

interface Desk {
  readonly person: string;
  readonly roles: readonly string[];
  readonly signer: LocalView | null;
  readonly look: () => Promise<void>;
}

export async function calls(): Promise<HTMLElement> {
  const { person, roles } = await me();
  const signer = await local();
  const list = el('div', { class: 'calls', 'aria-live': 'polite' });
  const none = card('', soft('No call waits for anybody.'));
  const problem = el('p', { role: 'alert' });
  const shown = new Map<string, { readonly node: HTMLElement; readonly status: HTMLElement }>();
  const look = async (): Promise<void> => {
    const waiting = (await ask<CallList>('/v1/calls')).calls;
    const ids = new Set(waiting.map(({ id }) => id));
    for (const [id, { node }] of shown) {
      if (ids.has(id)) continue;
      node.remove();
      shown.delete(id);
    }
    // What is there stays as it is: somebody may be typing a reason.
    for (const call of waiting) {
      const known = shown.get(call.id);
      if (known) known.status.replaceChildren(...statusOf(call));
      else {
        const made = cardOf(call, { person, roles, signer, look });
        shown.set(call.id, made);
        list.append(made.node);
      }
    }
    none.hidden = shown.size > 0;
  };
  await look();
  follow(list, look, problem);
  return el('div', {}, el('h1', {}, 'Calls that wait'), problem, none, list);
}

/** Looks again as long as the page is shown, and says when the registry does not answer. */
function follow(list: HTMLElement, look: () => Promise<void>, problem: HTMLElement): void {
  const again = async (): Promise<void> => {
    if (!list.isConnected) return;
    try {
      await look();
      problem.replaceChildren();
    } catch (error) {
      problem.textContent = (error as Error).message;
    }
    setTimeout(() => void again(), LOOK_MS);
  };
  setTimeout(() => void again(), LOOK_MS);
}

function statusOf({ approvedBy, facts: { people } }: CallView): (Node | string)[] {
  const by = approvedBy.length > 0 ? ` ${approvedBy.join(', ')}` : '';
  return [tag('in_review', `${approvedBy.length} of ${people} approved`), el('span', {}, by)];
}

function cardOf(call: CallView, desk: Desk): { node: HTMLElement; status: HTMLElement } {
  const said = call.facts;
  const status = el('span', {}, ...statusOf(call));
  const node = card(
    said.tool,
    facts([
      ['For', said.user],
      ['Server', `${said.alias === undefined ? '' : `${said.alias}: `}${said.server} ${said.version}`],
      ['Approvals', status],
      ['Waits until', `${said.expires.slice(11, 19)} UTC`],
      ['Runtime', `${said.runtime}, signed in as ${call.askedBy}`],
      ['Session', said.session],
      [said.shown === undefined ? 'Arguments' : 'Parameters', el('code', {}, short(said.argumentsDigest))],
      ['Call', el('code', {}, call.id)],
    ]),
    el('pre', {}, JSON.stringify(call.arguments, null, 2)),
    ...decisions(call, desk),
  );
  return { node, status };
}

function decisions(call: CallView, desk: Desk): Child[] {
  const { roles } = desk;
  const may = roles.includes('reviewer');
  return [may ? approving(call, desk) : null, may || roles.includes('admin') ? rejecting(call, desk) : null];
}

function approving({ id, facts: said, arguments: args, askedBy }: CallView, desk: Desk): HTMLElement {
  const { person, signer, look } = desk;
  if (said.user === person || askedBy === person)
    return soft('You make this call, so others have to approve it.');
  const unsigned = cannotSign(signer, `lk calls approve ${id}`);
  if (unsigned) return unsigned;
  const sign = async (): Promise<void> => {
    await ask<CallView>('/local/calls', { facts: said, arguments: args });
    await look();
  };
  return form([], { text: 'Sign the approval' }, sign);
}

function rejecting({ id }: CallView, { look }: Desk): HTMLElement {
  const send = async (values: FormData): Promise<void> => {
    await ask<CallView>(`/v1/calls/${id}/reject`, { reason: textOf(values, 'reason') });
    await look();
  };
  const reason = field({ name: 'reason', label: 'Why it is turned down', required: true, of: id });
  return form([reason], { text: 'Reject', deny: true }, send);
}
