/**
 * Reads the message catalogue for paraglide: `client/messages/LOCALE.json`, flat, `key: text`.
 *
 * Kept here because the stock plugin is fetched from a CDN when it is loaded, and a build of ours asks nobody.
 * Text holds `{name}` placeholders. A message that counts is an object of plural categories (`one`, `other` …) and takes
 * `{count}`; the category is chosen by `Intl.PluralRules` of the locale, which paraglide calls.
 * The SDK imports this file as a `data:` URL, so it can import nothing itself.
 */

const PLACEHOLDER = /\{([A-Za-z]+)\}/g;

/** `Hello {name}` → text and expression parts of an inlang pattern. */
function pattern(text) {
  const parts = [];
  let end = 0;
  for (const match of text.matchAll(PLACEHOLDER)) {
    if (match.index > end) parts.push({ type: 'text', value: text.slice(end, match.index) });
    parts.push({ type: 'expression', arg: { type: 'variable-reference', name: match[1] } });
    end = match.index + match[0].length;
  }
  if (end < text.length) parts.push({ type: 'text', value: text.slice(end) });
  return parts;
}

function inputsOf(texts) {
  const names = new Set();
  for (const text of texts) for (const match of text.matchAll(PLACEHOLDER)) names.add(match[1]);
  return [...names].map((name) => ({ type: 'input-variable', name }));
}

/** The category variable stands beside the count, so that a text may leave the number out. */
const CATEGORY = {
  type: 'local-variable',
  name: 'countPlural',
  value: {
    type: 'expression',
    arg: { type: 'variable-reference', name: 'count' },
    annotation: { type: 'function-reference', name: 'plural', options: [] },
  },
};

export default {
  key: 'parley.messages',

  toBeImportedFiles: ({ settings }) =>
    settings.locales.map((locale) => ({ path: `./client/messages/${locale}.json`, locale })),

  importFiles: ({ files }) => {
    const bundles = [];
    const messages = [];
    const variants = [];
    for (const file of files) {
      const catalogue = JSON.parse(new TextDecoder().decode(file.content));
      for (const [id, entry] of Object.entries(catalogue)) {
        const plural = typeof entry === 'object';
        const texts = plural ? Object.values(entry) : [entry];
        const declarations = inputsOf(plural ? ['{count}', ...texts] : texts);
        if (plural) declarations.push(CATEGORY);
        bundles.push({ id, declarations });
        messages.push({
          bundleId: id,
          locale: file.locale,
          selectors: plural ? [{ type: 'variable-reference', name: 'countPlural' }] : [],
        });
        for (const [category, text] of plural ? Object.entries(entry) : [['', entry]]) {
          const matches = !plural
            ? []
            : category === 'other'
              ? [{ type: 'catchall-match', key: 'countPlural' }]
              : [{ type: 'literal-match', key: 'countPlural', value: category }];
          variants.push({ messageBundleId: id, messageLocale: file.locale, matches, pattern: pattern(text) });
        }
      }
    }
    return { bundles, messages, variants };
  },
};
