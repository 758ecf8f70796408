/** Root holders of a company: they take its root over, and go on from there. */
import { type Envelope, seal } from '../../schemas/dsse.ts';
import { type Code, LockkeeperError } from '../../schemas/errors.ts';
import { canonical } from '../../schemas/json.ts';
import { ROOT_TYPE, type Root } from '../../schemas/root.ts';
import type { Answer } from '../helpers/registry.ts';
import { type Key, makeKey } from '../helpers/trust.ts';
import type { Company } from './company.ts';

export const HOLDERS = ['rita', 'ron', 'ruth'].map((name) => makeKey(name));

export type Act = (company: Company) => Promise<unknown>;

/** The registry's refusal as the error it was there. */
export async function told(answer: Promise<Answer>): Promise<unknown> {
  const { status, body } = await answer;
  if (status < 400) return body;
  const { code, expected, found, next } = body as Readonly<Record<string, unknown>>;
  throw new LockkeeperError(code as Code, { expected: `${expected}`, found: `${found}`, next: `${next}` });
}

/** The root after this one: held by these, signed by those. */
async function nextRoot(
  { registry }: Company,
  holders: readonly Key[],
  by: readonly Key[],
): Promise<Envelope> {
  const root = structuredClone((await registry.deps.trust.current()).trusted.root) as Root;
  root.version++;
  root.issuedAt = new Date().toISOString();
  const dates = { notBefore: root.issuedAt, notAfter: root.expires };
  const known = new Set(root.keys.map(({ keyid }) => keyid));
  const fresh = holders.filter(({ keyid }) => !known.has(keyid));
  root.keys.push(
    ...fresh.map(({ keyid, person, pem: publicKey }) => ({ keyid, person, publicKey, ...dates })),
  );
  root.roles.root = { keyids: holders.map(({ keyid }) => keyid), threshold: Math.min(2, holders.length) };
  return seal(
    ROOT_TYPE,
    Buffer.from(canonical(root)),
    by.map(({ key }) => key),
  );
}

export const postRoot = async (
  company: Company,
  holders: readonly Key[],
  by: readonly Key[],
): Promise<unknown> =>
  told(
    company.registry.call('dave', 'POST', '/v1/roots', { envelope: await nextRoot(company, holders, by) }),
  );

/** Root holders take the root over; the registry's own root key counts no more. */
export const handover: Act = (company) => postRoot(company, HOLDERS, HOLDERS);

export const holdersGoOn: Act = (company) => postRoot(company, HOLDERS, HOLDERS.slice(1));
