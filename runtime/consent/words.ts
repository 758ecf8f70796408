/** Words of strangers in sentences and in commands that a person may copy into a shell. */
import { quote } from '../../schemas/errors.ts';

const SHOWN = 300;
/** What means itself in every shell. */
const PLAIN = /^[A-Za-z0-9][A-Za-z0-9:._/~@%+-]{0,299}$/;

/** In a sentence: quoted, at most 300 characters. */
export function told(text: string): string {
  return quote(text, SHOWN);
}

/** An option of a command with a stranger's word, where that word is no more than itself; nothing where it could be. */
export function optionOf(name: string, word: string): string {
  return PLAIN.test(word) ? ` --${name} ${word}` : '';
}
