/**
 * Two texts from a little before the place where they part, so that an excerpt shows what differs. Texts that both fit
 * into `width` characters stay whole.
 */
export function apart(before: string, after: string, width: number): [string, string] {
  if (Math.max(before.length, after.length) <= width) return [before, after];
  let at = 0;
  while (at < before.length && at < after.length && before[at] === after[at]) at++;
  const from = Math.max(0, at - 30);
  const cut = (text: string): string => (from > 0 ? `…${text.slice(from)}` : text);
  return [cut(before), cut(after)];
}
