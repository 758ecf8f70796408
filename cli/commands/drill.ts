import type { Command } from '../command.ts';

export const drill: Command = {
  summary: 'play the nightmare on a private copy and show what stops it',
  words: '',
  options: {},
  optionHelp: {},
  examples: ['lk drill', 'lk drill --json'],
  arity: [0, 0],
  run: async () => ({ data: {}, text: '', exit: 1 }),
};
