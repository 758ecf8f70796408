/** Whether this page can have something signed: the key is on the reviewer's machine, never here. */
import type { LocalView } from '../schemas/local.ts';
import { el } from './dom.ts';

/** What to do where nothing can be signed; null where it can. `command` signs the same by hand. */
export function cannotSign(signer: LocalView | null, command: string): HTMLElement | null {
  if (signer === null) {
    const words = 'An approval is signed with your own key, which this page must never see. On your machine:';
    const lines = `lk dashboard    # this page, served by your own installation, with a button to sign\n${command}`;
    return el('div', {}, el('p', {}, words), el('pre', {}, lines));
  }
  if (signer.keyid !== null) return null;
  return el(
    'p',
    {},
    'There is no key of yours on this machine. Make one with lk keys new, enrol it with lk keys enrol, then start lk dashboard again.',
  );
}
