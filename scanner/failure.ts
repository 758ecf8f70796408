/** What a package registry's failure means: there is no such thing, or it could not be asked. */
import { LockkeeperError, quote } from '../schemas/errors.ts';

/** Does this error say that the registry answered, and has no such package or version? */
export function isAbsent(cause: unknown): boolean {
  const { code } = (cause ?? {}) as { code?: unknown };
  return code === 'E404' || code === 'ETARGET' || code === 'E410';
}

/** The registry's failure as a sentence: SOURCE_INVALID when there is no such version, else SOURCE_UNREACHABLE. */
export function unreachable(expected: string, cause: unknown): LockkeeperError {
  const { code, message } = (cause ?? {}) as { code?: string; message?: string };
  const gone = isAbsent(cause);
  return new LockkeeperError(gone ? 'SOURCE_INVALID' : 'SOURCE_UNREACHABLE', {
    expected: `${expected} from the package registry`,
    found: quote(`${code ?? ''} ${message ?? ''}`.trim(), 300),
    next: gone ? 'Check the name and the version' : 'Check the registry in npm config and try again',
    cause,
  });
}
