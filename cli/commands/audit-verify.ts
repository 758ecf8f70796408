import { verifyJournal } from '../../runtime/journal/journal.ts';
import { counted } from '../../scanner/text.ts';
import { CODES } from '../../schemas/errors.ts';
import type { Command, Context, Result } from '../command.ts';

export const auditVerify: Command = {
  summary: "prove that this machine's journals are whole",
  words: '',
  options: {},
  examples: ['lk audit verify', 'lk audit verify --json'],
  arity: [0, 0],
  run: verifyLocal,
};

async function verifyLocal(context: Context): Promise<Result> {
  const { journalDir } = context.home;
  const result = await verifyJournal(journalDir);
  if (result.journals === 0) {
    return {
      data: { conclusion: 'unverified', ...result },
      text: `${context.paint.yellow('nothing to verify')}: no server has run on this machine yet (${journalDir} holds no journal).`,
      exit: CODES.JOURNAL_BROKEN.exit,
    };
  }
  const counts = `${counted(result.records, 'record')} in ${counted(result.journals, 'journal')}`;
  return {
    data: { conclusion: 'ok', ...result },
    text: `${context.paint.green('ok')}: ${counts}, every chain unbroken.`,
  };
}
