/** What the story is played on, and how its steps are told. */
import type { Company } from './company.ts';
import type { DrillNpm } from './npm.ts';

export interface Step {
  readonly step: string;
  readonly expected: string;
  readonly found: string;
  readonly ok: boolean;
}

export interface Stage {
  readonly company: Company;
  readonly npm: DrillNpm;
  /** Tells a finished step. */
  readonly tell: (step: Step) => void;
}

export function say(
  { tell }: Stage,
  step: string,
  expected: string,
  found: { text: string; ok: boolean },
): void {
  tell({ step, expected, found: found.text, ok: found.ok });
}
