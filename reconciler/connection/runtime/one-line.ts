/**
 * A script of several lines as one line for sh, because no common quoting carries a line break through every login shell.
 * Invariant: sh reads the same commands; a line that begins with # is left out.
 * Never reads the script beyond the ends of its lines, so it must not hold here-documents or open quotes.
 */

/** What a command may not follow with a semicolon. A pattern of `case` stands on one line with its first command. */
const continues = /(^|[\s;])(then|do|else|in)$|[{(|;]$|&&$/;

/** The script on one line. */
export function oneLine(script: string): string {
  return script
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .reduce((all, line) => (all === '' ? line : `${all}${continues.test(all) ? ' ' : '; '}${line}`), '');
}
