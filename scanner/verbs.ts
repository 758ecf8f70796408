/** Verbs by which tools say what they do. */

/** Those that change something. */
export const CHANGES =
  /^(?:delete|remove|drop|destroy|purge|erase|wipe|create|add|insert|update|write|edit|modify|set|send|post|publish|upload|move|rename|merge|push|commit|cancel|transfer|pay|refund|revoke|grant|kill|terminate|restart|deploy|install)s?$/;
/** Those that cannot be taken back. */
export const DESTROYS = /^(?:delete|remove|drop|destroy|purge|erase|wipe|kill|terminate|revoke|uninstall)s?$/;

/** `getUserById`, `get_user_by_id` and `get-user by id` are the same words. */
export function wordsOfName(name: string): string[] {
  const apart = name.replace(/([a-z0-9])([A-Z])/g, '$1 $2').toLowerCase();
  return apart.split(/[^a-z0-9]+/).filter(Boolean);
}
