/** URLs whose answers are believed: TLS says who answers, and on loopback this machine does. */
import { LockkeeperError, quote } from '../../schemas/errors.ts';

/** Throws CONFIG_INVALID for a URL that anybody on the way could answer. `what` names it in the sentence. */
export function assertSecureUrl(text: string, what: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  const secure = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopbackName(url.hostname));
  if (url && secure && url.username === '' && url.password === '' && !text.includes('#')) return url;
  throw new LockkeeperError('CONFIG_INVALID', {
    expected: `${what} as an https URL, without a user and without #; http on loopback alone`,
    found: quote(text, 300),
    next: 'Correct the URL',
  });
}

export function isLoopbackName(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(host);
}

/** Whether a socket's other end is on this machine. */
export function isLoopbackAddress(address: string | undefined): boolean {
  return address !== undefined && (address === '::1' || /^(?:::ffff:)?127(?:\.\d{1,3}){3}$/.test(address));
}
