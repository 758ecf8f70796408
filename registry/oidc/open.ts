/** The identity provider as the registry was told of it: its file, its keys, and whom it may let in. */
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { IssuerKeys } from '../../runtime/identity/keys.ts';
import { readSecret } from '../../runtime/identity/secret.ts';
import { openIssuerKeys } from '../../runtime/identity/signed.ts';
import { LockkeeperError } from '../../schemas/errors.ts';
import { parseFile } from '../../schemas/json.ts';
import { SignInConfig } from '../../schemas/sign-in.ts';
import { assertValid } from '../../schemas/validate.ts';
import type { Deps } from '../deps.ts';
import { openProvider, type Provider, type ProviderSetting } from './provider.ts';

export interface Oidc {
  readonly config: SignInConfig;
  readonly provider: Provider;
  readonly keys: IssuerKeys;
  readonly now: () => number;
}

/**
 * Reads the file that LOCKKEEPER_OIDC names. Waits for nobody: a provider that is away keeps no registry from starting, and
 * is told as trouble.
 */
export async function openOidcFile(path: string, setting: Omit<ProviderSetting, 'dir'>): Promise<Oidc> {
  const bytes = await readFile(path).catch((cause: NodeJS.ErrnoException) => {
    throw new LockkeeperError('CONFIG_INVALID', {
      expected: `the file that LOCKKEEPER_OIDC names: ${path}`,
      found: cause.code ?? 'no file',
      next: 'Correct or unset the variable',
      cause,
    });
  });
  const config = assertValid(SignInConfig, parseFile(bytes, path), path, 'CONFIG_INVALID');
  const oidc = await openOidc(config, { ...setting, dir: dirname(path) });
  oidc.provider.assertThere().catch(setting.onTrouble);
  return oidc;
}

/** Throws CONFIG_INVALID for one that could let nobody in, or anybody; and what `readSecret` throws. */
export async function openOidc(config: SignInConfig, setting: ProviderSetting): Promise<Oidc> {
  assertLetsIn(config);
  const { clientAuth: auth } = config;
  const what = 'the secret of the identity provider’s client';
  if (auth) await readSecret('key' in auth ? auth.key : auth.secret, { ...setting, what });
  return {
    config,
    provider: await openProvider(config, setting),
    keys: await openIssuerKeys(config, setting),
    now: setting.now,
  };
}

/** Roles come from groups: each without the other lets nobody in. */
function assertLetsIn({ groups, roles, everybody }: SignInConfig): void {
  const mapped = Object.keys(roles ?? {}).length > 0;
  if ((groups !== undefined) === mapped && (mapped || everybody !== undefined)) return;
  throw new LockkeeperError('CONFIG_INVALID', {
    expected: 'groups and roles together, the claim and what each group gives; or everybody without both',
    found: mapped ? 'roles without groups' : groups === undefined ? 'none of them' : 'groups without roles',
    next: 'Complete the file that LOCKKEEPER_OIDC names',
  });
}

/** Throws NOT_FOUND where none is set. */
export function providerOf({ oidc }: Pick<Deps, 'oidc'>): Oidc {
  if (oidc) return oidc;
  throw new LockkeeperError('NOT_FOUND', {
    expected: 'an identity provider that people sign in with here',
    found: 'none',
    next: 'Sign in with a one-time code: lk login URL --code CODE; or set LOCKKEEPER_OIDC where the registry runs',
  });
}
