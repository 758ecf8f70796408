/** An environment in which nothing is set for lk: where programs are, and where this run keeps what Node compiled. */
const { PATH = '', NODE_COMPILE_CACHE = '' } = process.env;

export const BARE: Readonly<Record<string, string>> = { PATH, NODE_COMPILE_CACHE };
