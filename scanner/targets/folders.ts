/** Folders of one machine among a server's arguments, and where they stand in a sandbox: what is approved is for every machine. Pure. */

export function isFolder(word: string): boolean {
  return /^(?:\/|\.{1,2}(?:\/|$))/.test(word);
}

/** The arguments with `/data`, `/data2` and so on in the place of folders, and these places in their order. */
export function placed(args: readonly string[]): { args: string[]; targets: string[] } {
  const folders = [...new Set(args.filter(isFolder))];
  const placeOf = (word: string): string => {
    const at = folders.indexOf(word);
    return at === 0 ? '/data' : `/data${at + 1}`;
  };
  return {
    args: args.map((word) => (isFolder(word) ? placeOf(word) : word)),
    targets: folders.map(placeOf),
  };
}
