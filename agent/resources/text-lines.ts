/**
 * A text file as lines that can be put together again byte for byte.
 * Invariant: joinLines(splitLines(x)) equals x, whatever its encoding and line ends; added lines end like the file's own.
 * Pure.
 */

/** One line and what ends it: LF, CRLF, or nothing for a last line without an end. */
export interface Line {
  readonly text: string;
  readonly end: '\n' | '\r\n' | '';
}

/** A file's bytes as text, and the way back. Bytes that are not UTF-8 are kept one to one. */
export interface DecodedText {
  readonly text: string;
  /** A wanted text in the file's terms. */
  readonly term: (wanted: string) => string;
  readonly encode: (text: string) => Buffer;
}

/** Decodes so that encoding gives the same bytes. */
export function decodeText(bytes: Buffer): DecodedText {
  const text = bytes.toString();
  if (Buffer.from(text).equals(bytes)) return { text, term: (wanted) => wanted, encode: Buffer.from };
  return {
    text: bytes.toString('latin1'),
    term: (wanted) => Buffer.from(wanted).toString('latin1'),
    encode: (changed) => Buffer.from(changed, 'latin1'),
  };
}

/** The lines of a text with their ends. */
export function rawLines(text: string): readonly string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

/** The lines of a text; an end after the last line begins no further line. */
export function splitLines(text: string): Line[] {
  return rawLines(text).map((line) => {
    const end = line.endsWith('\r\n') ? '\r\n' : line.endsWith('\n') ? '\n' : '';
    return { text: line.slice(0, line.length - end.length), end };
  });
}

export function joinLines(lines: readonly Line[]): string {
  return lines.map((line) => line.text + line.end).join('');
}

/** Wanted lines in the style of the file: ended like its first line; carriage returns at their ends are not text. */
export function styledLines(lines: readonly Line[], texts: readonly string[]): Line[] {
  const end = lines[0]?.end === '\r\n' ? '\r\n' : '\n';
  return texts.map((text) => ({ text: bareText(text), end }));
}

/** A wanted line without carriage returns at its end, as a line of a file is compared. */
export function bareText(text: string): string {
  return text.replace(/\r+$/, '');
}

/** The lines with `added` put before index `place`; a line before it that has no end gets one. */
export function insertLines(lines: readonly Line[], place: number, added: readonly Line[]): Line[] {
  const end = added[0]?.end ?? '\n';
  const before = lines.slice(0, place).map((line) => (line.end === '' ? { ...line, end } : line));
  return [...before, ...added, ...lines.slice(place)];
}

/** Where a new line goes: after the last line that matches `after`, before the last that matches `before`, else at the end. */
export function insertPlace(
  lines: readonly Line[],
  { after, before }: { readonly after: RegExp | undefined; readonly before: RegExp | undefined },
): number {
  for (const [pattern, offset] of [[after, 1] as const, [before, 0] as const]) {
    for (let place = lines.length - 1; pattern && place >= 0; place -= 1) {
      if (pattern.test(lines[place]?.text ?? '')) return place + offset;
    }
  }
  return lines.length;
}
