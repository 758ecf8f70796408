import { defineConfig } from 'vitest/config';
import { ALONE, LongestFirst } from './test/setup/sequence.ts';

// Tests wait for what is said or seen; these bounds alone end what never comes.
const bounds = {
  testTimeout: 400_000,
  hookTimeout: 400_000,
  expect: { poll: { timeout: 45_000, interval: 20 } },
};

export default defineConfig({
  test: {
    globalSetup: ['test/setup/ended.ts', 'test/setup/compiled.ts', 'test/setup/postgres.ts'],
    teardownTimeout: 60_000,
    // Twice what two cores have: half of a test's time goes by waiting for processes, refusals and silence.
    maxWorkers: 4,
    sequence: { sequencer: LongestFirst },
    allowOnly: false,
    projects: [
      { test: { ...bounds, name: 'alone', include: [...ALONE] } },
      {
        test: {
          ...bounds,
          name: 'together',
          include: ['test/**/*.test.ts'],
          exclude: [...ALONE],
          isolate: false,
        },
      },
    ],
  },
});
