// What a run of vitest came to, and whether its failures may be tried once more.
import { existsSync, readFileSync } from 'node:fs';

/** Files tried once more, by themselves; more failures than these are no matter of a busy machine. */
const AGAIN = 3;

/** Words and environment of one run that tells in files named after `results` what it came to. */
export function tellingTo(results) {
  const words = [
    ...['--reporter=default', '--reporter=json', `--outputFile.json=${results}.json`],
    ...['--reporter=junit', `--outputFile.junit=${results}.xml`],
  ];
  return { words, env: { TESTS_ENDED: `${results}.ended` } };
}

/**
 * Its exit code, its counts, the files that failed, and errors that belong to no test, an end that failed among them
 * (`test/setup/ended.ts`). Without a report, all failed.
 */
export function resultOf(code, results) {
  const [json, xml, ended] = ['json', 'xml', 'ended'].map((kind) => `${results}.${kind}`);
  if (!existsSync(json) || !existsSync(xml))
    return { code: code || 1, passed: 0, failed: 1, files: [], loose: 0 };
  const { numPassedTests, numFailedTests, testResults } = JSON.parse(readFileSync(json, 'utf8'));
  const files = testResults.filter(({ status }) => status === 'failed').map(({ name }) => name);
  // The other report leaves these out: a test that passes alone would hide them.
  const [, errors] = /<testsuites [^>]*\berrors="(\d+)"/.exec(readFileSync(xml, 'utf8')) ?? [];
  const loose = Number(errors ?? 1) + (existsSync(ended) ? 0 : 1);
  return { code: code || Math.sign(loose), passed: numPassedTests, failed: numFailedTests, files, loose };
}

/** A few files whose tests failed, and nothing else that went wrong. */
export function mayTryAgain({ failed, files, loose }) {
  return failed > 0 && loose === 0 && files.length > 0 && files.length <= AGAIN;
}
