/** The registry, seen from the page. The token lives in this tab only. */
import type { Problem } from '../schemas/problem.ts';

const KEY = 'lockkeeper-token';

export function token(): string | null {
  return sessionStorage.getItem(KEY);
}

export function keepToken(value: string | null): void {
  if (value === null) sessionStorage.removeItem(KEY);
  else sessionStorage.setItem(KEY, value);
}

/** Throws an Error whose message is the registry's whole sentence. */
export async function ask<T>(path: string, body?: unknown): Promise<T> {
  const headers: Record<string, string> = { accept: 'application/json' };
  const bearer = token();
  if (bearer) headers.authorization = `Bearer ${bearer}`;
  if (body !== undefined) headers['content-type'] = 'application/json';
  const init: RequestInit =
    body === undefined ? { headers } : { method: 'POST', headers, body: JSON.stringify(body) };
  const response = await fetch(path, init);
  if (response.ok) return (await response.json()) as T;
  const problem = (await response.json().catch(() => null)) as Problem | null;
  if (response.status === 401 && bearer) keepToken(null);
  throw new Error(problem?.detail ?? `The registry answered ${response.status}.`);
}
