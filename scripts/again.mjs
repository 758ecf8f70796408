// What a run of vitest came to, and whether its failures may be tried once more.
import { existsSync, readFileSync } from 'node:fs';

/** Files tried once more, by themselves; more failures than these are no matter of a busy machine. */
const AGAIN = 3;

/** Reporters of one run, which write to `results`. */
export function reportersTo(results) {
  return [
    ...['--reporter=default', '--reporter=json', `--outputFile.json=${results}.json`],
    ...['--reporter=junit', `--outputFile.junit=${results}.xml`],
  ];
}

/** Its exit code, its counts, the files that failed, and errors that belong to no test. Without a report, all failed. */
export function resultOf(code, results) {
  const [json, xml] = [`${results}.json`, `${results}.xml`];
  if (!existsSync(json) || !existsSync(xml))
    return { code: code || 1, passed: 0, failed: 1, files: [], loose: 0 };
  const { numPassedTests, numFailedTests, testResults } = JSON.parse(readFileSync(json, 'utf8'));
  const files = testResults.filter(({ status }) => status === 'failed').map(({ name }) => name);
  // The other report leaves these out: a test that passes alone would hide them.
  const [, errors] = /<testsuites [^>]*\berrors="(\d+)"/.exec(readFileSync(xml, 'utf8')) ?? [];
  return { code, passed: numPassedTests, failed: numFailedTests, files, loose: Number(errors ?? 1) };
}

/** A few files whose tests failed, and nothing else that went wrong. */
export function mayTryAgain({ failed, files, loose }) {
  return failed > 0 && loose === 0 && files.length > 0 && files.length <= AGAIN;
}
