/** The addresses of a gateway as resources of their own (RFC 9728): a token for one of them opens no other. */
const DOOR = /^\/(?:mcp|servers\/[a-z0-9][a-z0-9_-]{0,63}\/mcp)$/;

export interface Doors {
  /** The resource that this path is; null where no door can be. Whether there is one is told to nobody unproved. */
  at(path: string): string | null;
  /** The path that this resource is, letter by letter; null where it is none. */
  pathOf(resource: string): string | null;
}

/** `resource`: what the addresses of the gateway begin with, or one of them. */
export function doorsOf(resource: string): Doors {
  const { origin, pathname } = new URL(resource);
  const isHere = DOOR.test(pathname) || /^\/(?:servers(?:\/.*)?)?$/.test(pathname);
  // Any other path is where a proxy in front has the gateway.
  const base = isHere ? origin : resource.replace(/\/$/, '');
  return {
    at: (path) => (DOOR.test(path) ? `${base}${path}` : null),
    pathOf: (one) =>
      one.startsWith(base) && DOOR.test(one.slice(base.length)) ? one.slice(base.length) : null,
  };
}

/** The path of a request, without what follows it. */
export function pathIn(url = ''): string {
  return url.split('?', 1)[0] ?? '';
}
