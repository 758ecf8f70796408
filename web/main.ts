/** The dashboard: signs people in, or is let in by lk dashboard, and shows one page per address. */
import type { Health, TokenView } from '../schemas/api.ts';
import { ask, keepToken, local, me, token } from './api.ts';
import { audit } from './audit.ts';
import { calls } from './calls.ts';
import { card, el, field, fold, form, textOf } from './dom.ts';
import { fleet } from './fleet.ts';
import { allReleases, queue } from './list.ts';
import { comeBack, providerForm } from './provider.ts';
import { publish } from './publish.ts';
import { releasePage } from './release.ts';
import { trust } from './trust.ts';

interface Page {
  readonly href: string;
  readonly title: string;
  /** Shown to people with one of these roles. */
  readonly roles: readonly string[];
  readonly open: () => Promise<HTMLElement>;
}

const READERS = ['admin', 'reviewer', 'publisher', 'developer', 'auditor'];
const WATCHERS = ['admin', 'reviewer', 'auditor'];
const PAGES: readonly Page[] = [
  { href: '#/', title: 'Review', roles: READERS, open: queue },
  { href: '#/releases', title: 'Releases', roles: READERS, open: allReleases },
  { href: '#/calls', title: 'Calls', roles: WATCHERS, open: calls },
  { href: '#/fleet', title: 'Fleet', roles: WATCHERS, open: fleet },
  { href: '#/publish', title: 'Publish', roles: ['publisher', 'admin'], open: publish },
  { href: '#/trust', title: 'Trust', roles: READERS, open: trust },
  { href: '#/audit', title: 'Audit', roles: ['auditor', 'admin'], open: audit },
];

function byId(id: string): HTMLElement {
  const node = document.getElementById(id);
  if (!node) throw new Error(`the page misses #${id}`);
  return node;
}

let turn = 0;

/** The newest address wins; an answer that comes late is dropped. */
async function render(): Promise<void> {
  const mine = ++turn;
  const address = location.hash || '#/';
  const [, secret] = /^#\/open\/([\w-]+)$/.exec(address) ?? [];
  if (secret !== undefined) {
    keepToken(secret);
    return location.replace('#/');
  }
  const view = byId('view');
  const problem = (error: unknown): HTMLElement => el('p', { role: 'alert' }, (error as Error).message);
  let parts: HTMLElement[];
  try {
    await comeBack();
    parts = [token() ? await page(address) : await signInForm()];
  } catch (error) {
    parts = token() ? [problem(error)] : [problem(error), await signInForm()];
  }
  if (mine !== turn) return;
  view.replaceChildren(...parts);
  await frame(address).catch(() => undefined);
  const title = view.querySelector('h1')?.textContent;
  document.title = title ? `${title} · Lockkeeper` : 'Lockkeeper';
  view.focus({ preventScroll: true });
}

/** What stands around the page: who is here, and where they may go. */
async function frame(address: string): Promise<void> {
  const who = byId('who');
  if (!token()) {
    byId('nav').replaceChildren();
    return who.replaceChildren();
  }
  const { person, roles } = await me();
  const pages = PAGES.filter((item) => isFor(item, roles));
  byId('nav').replaceChildren(...pages.map(({ href, title }) => link(href, title, address)));
  const out = el('button', { type: 'button', class: 'quiet' }, 'Sign out');
  out.addEventListener('click', () => {
    keepToken(null);
    void render();
  });
  const signer = await local();
  const key = signer === null ? '' : signer.keyid === null ? ' · no key here' : ' · signs here';
  who.replaceChildren(`${person} (${roles.join(', ')})${key} `, out);
}

function link(href: string, title: string, address: string): HTMLElement {
  return el('a', href === address ? { href, 'aria-current': 'page' } : { href }, title);
}

async function page(address: string): Promise<HTMLElement> {
  const [, id] = /^#\/release\/([0-9]+)$/.exec(address) ?? [];
  if (id !== undefined) return releasePage(id);
  const found = PAGES.find(({ href }) => href === address);
  if (!found) throw new Error('There is no such page.');
  const { person, roles } = await me();
  if (isFor(found, roles)) return found.open();
  const [who, has] = [found.roles.join(' or '), roles.join(', ')];
  throw new Error(
    `${found.title} is for a ${who}, and ${person} is ${has}. Ask an administrator for the role.`,
  );
}

const isFor = (one: Page, roles: readonly string[]): boolean =>
  one.roles.some((role) => roles.includes(role));

async function signInForm(): Promise<HTMLElement> {
  const code = field({ name: 'code', label: 'One-time code', required: true });
  const send = async (values: FormData): Promise<void> => {
    const { token: given } = await ask<TokenView>('/v1/sign-in', { code: textOf(values, 'code') });
    keepToken(given);
    await render();
  };
  const text =
    'Use the one-time code that the registry printed when it started, or that an administrator gave you.';
  const byCode = [el('p', {}, text), form([code], { text: 'Sign in' }, send)];
  const provider = await providerForm().catch(() => null);
  if (provider === null) return card('', el('h1', {}, 'Sign in'), ...byCode);
  return card('', el('h1', {}, 'Sign in'), provider, fold(['With a one-time code'], byCode));
}

async function start(): Promise<void> {
  await render();
  const health = await ask<Health>('/v1/health').catch(() => null);
  byId('trial').hidden = health?.trial !== true;
}

addEventListener('hashchange', () => void render());
void start();
