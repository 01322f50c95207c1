/** Which exported functions say nothing about themselves. */

/** Names of exported functions in a source file that no docstring stands above. */
export function undocumentedIn(source: string): string[] {
  const lines = source.split('\n');
  return lines.flatMap((line, index) => {
    const name = /^export (?:async )?function\*? (\w+)/.exec(line)?.[1];
    return name === undefined || lines[index - 1]?.trimEnd().endsWith('*/') ? [] : [name];
  });
}
