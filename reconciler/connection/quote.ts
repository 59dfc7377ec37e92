/**
 * The one place where a word becomes shell text.
 * Invariant: sh, bash, zsh, fish and csh all read the result as exactly the word given.
 * Never used to build scripts: it quotes whole words only.
 */

/** The word as one argument in any login shell. Throws RangeError on a line break or NUL, which no common quoting carries. */
export function quote(word: string): string {
  if (/[\n\r\0]/.test(word)) throw new RangeError('a word for a login shell has no line breaks');
  if (/^[A-Za-z0-9_./:@%+=,-]+$/.test(word)) return word;
  const parts = word.match(/'|\\|!|[^'\\!]+/g) ?? [];
  return parts.length === 0 ? "''" : parts.map(quotePart).join('');
}

/** A command line of words. */
export function quoteAll(words: readonly string[]): string {
  return words.map(quote).join(' ');
}

function quotePart(part: string): string {
  // fish reads \\ and \' inside single quotes, csh expands ! there: these three stand outside.
  if (part === "'") return `"'"`;
  if (part === '\\' || part === '!') return `\\${part}`;
  return `'${part}'`;
}
