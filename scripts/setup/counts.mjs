/** How many tests passed, failed and were skipped: from vitest's JSON report, not from what it prints. */

/**
 * @param results  vitest's JSON report
 * @returns numbers of tests. A file that could not be run (it does not load) counts as one that failed.
 */
export function countResults(results) {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const file of results.testResults) {
    const failedBefore = counts.failed;
    for (const { status } of file.assertionResults) {
      if (status === 'passed') counts.passed += 1;
      else if (status === 'failed') counts.failed += 1;
      // 'skipped', 'pending', 'todo', 'disabled'
      else counts.skipped += 1;
    }
    if (file.status === 'failed' && counts.failed === failedBefore) counts.failed += 1;
  }
  return counts;
}

/** The closing line. */
export function formatCounts({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}
