/** What a person names, as something that signs: a key in a file, in their SSH agent or behind a program, or an identity. */
import { commandSigner } from '../runtime/signers/command.ts';
import { keylessSigner } from '../runtime/signers/keyless.ts';
import { LockkeeperError } from '../schemas/errors.ts';
import { type IdentitySigner, keySigner, type Signer } from '../schemas/signer.ts';
import type { CliConfig } from './config.ts';
import type { Home } from './home.ts';
import { type Agent, agentSigner } from './ssh/agent.ts';

/** A person may have to type a PIN. */
const COMMAND_MS = 60_000;

/** What signing needs of a command's context. */
export interface Desk {
  readonly home: Pick<Home, 'storedKey'>;
  readonly config: Pick<CliConfig, 'sshAgent' | 'environment'>;
  readonly progress: (line: string) => void;
}

/**
 * Throws KEY_FILE for a key that is not there, and for an identity, which has none; the agent or the program is asked only
 * when it signs.
 */
export async function signerNamed(desk: Desk, name: string): Promise<Signer> {
  const signer = await sealerNamed(desk, name);
  if (signer.publicKey !== null) return signer;
  throw new LockkeeperError('KEY_FILE', {
    expected: `a key under the name ${name}`,
    found: 'an identity without one, which signs approvals and revocations alone',
    next: 'Name another key with --key',
  });
}

/** For approvals and revocations, which an identity may sign as well. */
export async function sealerNamed(desk: Desk, name: string): Promise<Signer | IdentitySigner> {
  const stored = await desk.home.storedKey(name);
  if (stored.kind === 'sigstore')
    return keylessSigner(stored.reference, { environment: desk.config.environment, now: () => new Date() });
  if (stored.kind === 'file') return keySigner(stored.key);
  if (stored.kind === 'ssh-agent') return agentSigner(stored.reference, agentOf(desk));
  return commandSigner(stored.reference, commandSetting(desk));
}

function commandSetting({ config }: Desk): {
  environment: CliConfig['environment'];
  timeoutMs: number;
} {
  return { environment: config.environment, timeoutMs: COMMAND_MS };
}

/** The SSH agent of this session. Throws SIGNER_FAILED when the environment names none. */
export function agentOf({ config, progress }: Desk): Agent {
  if (config.sshAgent !== null) return { socket: config.sshAgent, progress };
  throw new LockkeeperError('SIGNER_FAILED', {
    expected: 'an SSH agent, named by SSH_AUTH_SOCK',
    found: 'no such variable',
    next: 'Start one with: eval "$(ssh-agent)" && ssh-add',
  });
}
