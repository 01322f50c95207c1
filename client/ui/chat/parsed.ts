/** What was parsed lately, so that scrolling to and fro parses nothing twice. */
import { type Block, parseMarkdown } from '../../chat/markdown.ts';

/** A few screens full. */
const KEPT = 400;

const kept = new Map<string, Block[]>();
let pattern: RegExp | null = null;

export function parsed(text: string, mention: RegExp | null): Block[] {
  if (mention?.source !== pattern?.source) kept.clear();
  pattern = mention;
  let blocks = kept.get(text);
  if (blocks === undefined) {
    blocks = parseMarkdown(text, mention);
    kept.set(text, blocks);
    const oldest = kept.keys().next();
    if (kept.size > KEPT && !oldest.done) kept.delete(oldest.value);
  }
  return blocks;
}
