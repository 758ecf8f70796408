/** Artifacts that are folders: what came as one bundle or one tree is kept in parts, so that what stays the same is the same bytes. */

/** Where the files of an MCP bundle are, below the closure; packages in it stand where they stand in the bundle. */
export const BUNDLE_FOLDER = 'bundle';
/** Where the tree of a commit is; what it depends on stands beside it, in node_modules. */
export const SOURCE_FOLDER = 'source';
export const FOLDER_LOCATION = `(?:${BUNDLE_FOLDER}|${SOURCE_FOLDER})(?:/[^/]+)*`;

/** Is it a folder, packed by the scanner as a plain tar? */
export function isFolder({ location }: { readonly location: string }): boolean {
  return new RegExp(`^${FOLDER_LOCATION}$`).test(location);
}
