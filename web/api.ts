/** The registry, seen from the page. The token lives in this tab only. */
import type { Me } from '../schemas/api.ts';
import type { LocalView } from '../schemas/local.ts';
import type { Problem } from '../schemas/problem.ts';

const KEY = 'lockkeeper-token';

export function token(): string | null {
  return sessionStorage.getItem(KEY);
}

export function keepToken(value: string | null): void {
  known = {};
  if (value === null) sessionStorage.removeItem(KEY);
  else sessionStorage.setItem(KEY, value);
}

/** Throws an Error whose message is the registry's whole sentence. */
export async function ask<T>(path: string, body?: unknown): Promise<T> {
  return (await (await answer(path, body)).json()) as T;
}

/** Saves what the registry answers as a file, byte for byte. Throws as `ask` does. */
export async function save(path: string, name: string): Promise<void> {
  const address = URL.createObjectURL(await (await answer(path)).blob());
  const link = document.createElement('a');
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

async function answer(path: string, body?: unknown): Promise<Response> {
  const headers: Record<string, string> = { accept: 'application/json' };
  const bearer = token();
  if (bearer) headers.authorization = `Bearer ${bearer}`;
  if (body !== undefined) headers['content-type'] = 'application/json';
  const init: RequestInit =
    body === undefined ? { headers } : { method: 'POST', headers, body: JSON.stringify(body) };
  const response = await fetch(path, init).catch(() => {
    throw new Error('Nobody answers any more. Is the registry, or lk dashboard, still running?');
  });
  if (response.ok) return response;
  const problem = (await response.json().catch(() => null)) as Problem | null;
  if (response.status === 401 && bearer) keepToken(null);
  throw new Error(problem?.detail ?? `The registry answered ${response.status}.`);
}

let known: { me?: Promise<Me>; local?: Promise<LocalView | null> } = {};

export function me(): Promise<Me> {
  known.me ??= ask<Me>('/v1/me');
  return known.me;
}

/** What signs beside this page: null where the registry itself serves it, which must never see a key. */
export function local(): Promise<LocalView | null> {
  known.local ??= ask<LocalView>('/local').catch(() => null);
  return known.local;
}
