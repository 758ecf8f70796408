import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { npmOptionsOf } from '../../scanner/npm.ts';
import { CODES } from '../../schemas/errors.ts';
import { type Command, flag, option, type Result } from '../command.ts';
import { type Company, foundCompany } from '../drill/company.ts';
import { type DrillNpm, startDrillNpm } from '../drill/npm.ts';
import type { Step } from '../drill/stage.ts';
import { playStory } from '../drill/story.ts';
import { clip, plain, ticking } from '../output.ts';
import { tidied } from '../tidied.ts';

export const drill: Command = {
  summary: 'play an attack on a private copy and show what stops it',
  words: '',
  options: {
    keep: option.flag('leave the temporary folder for looking around'),
  },
  examples: ['lk drill', 'lk drill --json', 'lk drill --keep'],
  arity: [0, 0],
  async run(context, _words, values) {
    const dir = await mkdtemp(join(tmpdir(), 'lk-drill-'));
    await chmod(dir, 0o755);
    const { environment } = context.config;
    const { storeDir } = context.home;
    let npm: DrillNpm | undefined;
    let founding: Promise<Company> | undefined;
    const { paint } = context;
    const lineOf = ({ step, expected, found, ok }: Step): string =>
      `${ok ? paint.green('ok  ') : paint.red('FAIL')}  ${step}\n      ${paint.dim(`expected ${clip(plain(expected), 140)}`)}\n      found    ${clip(plain(found), 140)}`;
    const { tell, end } = ticking(context.progress);
    tell('starting a registry');
    const work = async (): Promise<Result> => {
      npm = await startDrillNpm(await npmOptionsOf(dir, environment), dir);
      founding = foundCompany({ dir, npmRegistry: npm.url, environment, storeDir });
      const steps = await playStory({
        company: await founding,
        npm,
        tell: ({ step }) => tell(`played: ${step}`),
      });
      const failed = steps.filter((step) => !step.ok).length;
      return {
        data: { conclusion: failed === 0 ? 'ok' : 'broken', steps },
        text: [
          ...steps.map(lineOf),
          '',
          failed === 0
            ? `${paint.green('The drill held')}: ${steps.length} steps.`
            : `${paint.red('The drill failed')}: ${failed} of ${steps.length} steps.`,
        ].join('\n'),
        exit: failed === 0 ? 0 : CODES.INTERNAL.exit,
      };
    };
    return tidied(work, async () => {
      end();
      await founding?.then((company) => company.close()).catch(() => undefined);
      await npm?.close();
      if (flag(values, 'keep')) context.say(`Left in ${dir}`);
      else await rm(dir, { recursive: true, force: true, maxRetries: 10 });
    });
  },
};
