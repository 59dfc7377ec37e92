/**
 * The text of an authorized_keys file: finds keys in it and puts one in, changes it or takes it out.
 * Invariant: a key is its type and base64; every line that is not concerned stays as it is, byte for byte.
 * Pure.
 */

import type { AuthorizedKeyShape } from '../protocol/shapes/account.ts';

interface KeyLine {
  readonly options: string;
  /** Type and base64. */
  readonly identity: string;
  readonly comment: string;
}

/** What the file must be, and how many keys of others leave it. */
export interface KeyEdit {
  readonly text: string;
  readonly isPresent: boolean;
  readonly others: number;
}

/** The file with the wanted key present (once) or absent. */
export function editKeys(text: string, wanted: AuthorizedKeyShape): KeyEdit {
  const key = parseKeyLine(wanted.key);
  const lines = text === '' ? [] : text.replace(/\n$/, '').split('\n');
  const kept: string[] = [];
  let [isPresent, isPlaced, others] = [false, false, 0];
  for (const line of lines) {
    const found = parseKeyLine(line);
    if (found?.identity === key?.identity && found) {
      if (wanted.state === 'present' && !isPlaced) kept.push(merged(line, found, wanted));
      [isPresent, isPlaced] = [true, true];
    } else if (found && wanted.exclusive && wanted.state === 'present') others += 1;
    else kept.push(line);
  }
  if (wanted.state === 'present' && !isPlaced) kept.push(keyText(wanted.options ?? '', wanted.key));
  return { text: kept.length === 0 ? '' : `${kept.join('\n')}\n`, isPresent, others };
}

/** A line with a key in it; undefined for comments, blank lines and what sshd would not understand. */
export function parseKeyLine(line: string): KeyLine | undefined {
  const text = line.trim();
  if (text === '' || text.startsWith('#')) return undefined;
  return parseKey(text, '') ?? parseKey(text.slice(optionsEnd(text)).trim(), text.slice(0, optionsEnd(text)));
}

function parseKey(text: string, options: string): KeyLine | undefined {
  const match = /^([a-z0-9@.]+-[a-z0-9@.-]+)\s+([A-Za-z0-9+/=]+)(?:\s+(.*))?$/.exec(text);
  if (match === null) return undefined;
  return { options, identity: `${match[1]} ${match[2]}`, comment: match[3] ?? '' };
}

/** Where the options end: the first white space outside quotes. */
function optionsEnd(text: string): number {
  let isQuoted = false;
  for (let index = 0; index < text.length; index += 1) {
    if (text[index] === '\\' && text[index + 1] === '"') index += 1;
    else if (text[index] === '"') isQuoted = !isQuoted;
    else if (!isQuoted && (text[index] === ' ' || text[index] === '\t')) return index;
  }
  return text.length;
}

/** The line as wanted; a comment or options left out stay as they are. */
function merged(line: string, found: KeyLine, wanted: AuthorizedKeyShape): string {
  const options = wanted.options ?? found.options;
  const comment = parseKeyLine(wanted.key)?.comment || found.comment;
  if (options === found.options && comment === found.comment) return line;
  return keyText(options, `${found.identity}${comment === '' ? '' : ` ${comment}`}`);
}

function keyText(options: string, key: string): string {
  return options === '' ? key : `${options} ${key}`;
}
