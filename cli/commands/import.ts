import { resolve } from 'node:path';
import { importBundle } from '../bundle/import.ts';
import { type Command, option } from '../command.ts';

export const importing: Command = {
  summary: 'take such a file in: all of it is verified before any of it is written',
  words: 'FILE',
  options: {
    pin: option.text('file with the root to believe, brought by another way (lk export pin); needed once'),
    'root-key': option.list(
      'the id of a root key that has to have signed, instead of a file; repeat for each',
    ),
  },
  examples: ['lk import monday.lkb --pin root-pin.json', 'lk import tuesday.lkb'],
  arity: [1, 1],
  run: (context, [file = ''], values) => importBundle(context, resolve(context.cwd, file), values),
};
