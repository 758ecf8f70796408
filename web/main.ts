/** The dashboard: signs in with a one-time code and shows one page per address. */
import type { Health, Me, TokenView } from '../schemas/api.ts';
import { ask, keepToken, token } from './api.ts';
import { card, el } from './dom.ts';
import { audit, queue, releasePage } from './views.ts';

const PAGES: readonly (readonly [string, string, () => Promise<HTMLElement>])[] = [
  ['#/', 'Review', () => queue('in_review')],
  ['#/releases', 'Releases', () => queue('')],
  ['#/audit', 'Audit', audit],
];

function byId(id: string): HTMLElement {
  const node = document.getElementById(id);
  if (!node) throw new Error(`the page misses #${id}`);
  return node;
}

async function render(): Promise<void> {
  const address = location.hash || '#/';
  const view = byId('view');
  byId('nav').replaceChildren(...(token() ? PAGES.map(([href, title]) => link(href, title, address)) : []));
  try {
    view.replaceChildren(token() ? await page(address) : signInForm());
    byId('who').textContent = token() ? await whoami() : '';
  } catch (error) {
    view.replaceChildren(
      el('p', { role: 'alert' }, (error as Error).message),
      ...(token() ? [] : [signInForm()]),
    );
  }
}

function link(href: string, title: string, address: string): HTMLElement {
  return el('a', href === address ? { href, 'aria-current': 'page' } : { href }, title);
}

function page(address: string): Promise<HTMLElement> {
  const [, id] = /^#\/release\/([0-9]+)$/.exec(address) ?? [];
  if (id !== undefined) return releasePage(id);
  const [, , open] = PAGES.find(([href]) => href === address) ?? PAGES[0] ?? [];
  return open ? open() : Promise.reject(new Error('There is no such page.'));
}

async function whoami(): Promise<string> {
  const me = await ask<Me>('/v1/me');
  return `${me.person} (${me.roles.join(', ')})`;
}

function signInForm(): HTMLElement {
  const code = el('input', {
    name: 'code',
    placeholder: 'one-time code',
    autocomplete: 'off',
    required: '',
    'aria-label': 'One-time code',
  });
  const form = el('form', {}, code, el('button', { type: 'submit' }, 'Sign in'));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    void signIn((code as HTMLInputElement).value);
  });
  return card(
    'Sign in',
    el(
      'p',
      {},
      'Use the one-time code that the registry printed when it started, or that an administrator gave you.',
    ),
    form,
  );
}

async function signIn(code: string): Promise<void> {
  try {
    const view = await ask<TokenView>('/v1/sign-in', { code: code.trim() });
    keepToken(view.token);
  } catch (error) {
    byId('view').prepend(el('p', { role: 'alert' }, (error as Error).message));
    return;
  }
  await render();
}

async function start(): Promise<void> {
  const health = await ask<Health>('/v1/health');
  byId('trial').hidden = !health.trial;
  await render();
}

addEventListener('hashchange', () => void render());
void start();
