/** Whether one word was meant and another one written. */

/** One letter more, less, other, or two changed places. */
export function isSlip(a: string, b: string): boolean {
  if (a === b || Math.abs(a.length - b.length) > 1) return false;
  let start = 0;
  while (start < a.length && a[start] === b[start]) start++;
  let end = 0;
  const shorter = Math.min(a.length, b.length) - start;
  while (end < shorter && a.at(-1 - end) === b.at(-1 - end)) end++;
  const [left, right] = [a.slice(start, a.length - end), b.slice(start, b.length - end)];
  if (left.length <= 1 && right.length <= 1) return true;
  return left.length === 2 && left[0] === right[1] && left[1] === right[0];
}

/** Letters that two words have to begin with alike for one to be taken for the other. */
const ALIKE = 4;

/** The name that was meant, if one is a slip away, is begun, or begins alike; the first of them in this order. */
export function nearest(word: string, names: readonly string[]): string | undefined {
  const said = word.toLowerCase();
  return (
    names.find((name) => name === said || isSlip(said, name)) ??
    names.find((name) => said.length > 1 && (name.startsWith(said) || said.startsWith(`${name} `))) ??
    names.find((name) => name.length >= ALIKE && name.slice(0, ALIKE) === said.slice(0, ALIKE))
  );
}
