/**
 * What the terminal can show: colours and symbols, decided once from flags, environment and stream.
 * Invariant: without colour nothing but the text leaves; without UTF-8 nothing but ASCII leaves.
 * Pure; the environment is an argument.
 */

import { styleText } from 'node:util';
import { escapeText } from './escape.ts';

const tones = {
  good: 'green',
  bad: 'red',
  warn: 'yellow',
  change: 'yellow',
  added: 'green',
  removed: 'red',
  unknown: 'magenta',
  accent: 'cyan',
  strong: 'bold',
  dim: 'dim',
} as const;

/** What a piece of text means; the style says how that looks. */
export type Tone = keyof typeof tones;

export interface Style {
  readonly colour: boolean;
  readonly unicode: boolean;
  /** Safe text as this terminal can show it. Measure only what went through here. */
  clean(text: string): string;
  /** Colours text that is clean already. */
  paint(tone: Tone, text: string): string;
  /** The spinner's picture for a frame number. */
  spinner(frame: number): string;
}

const spinners = {
  unicode: ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'],
  ascii: ['|', '/', '-', '\\'],
};

const ascii: Readonly<Record<string, string>> = {
  '✓': '*',
  '✗': 'x',
  '»': '>',
  '«': '<',
  '·': '-',
  '○': '.',
  '…': '...',
  '→': '->',
  '←': '<-',
  '−': '-',
  '–': '-',
  '’': "'",
  '‘': "'",
  '“': '"',
  '”': '"',
  '≥': '>=',
  '≤': '<=',
  '█': '#',
  '░': '.',
};

/** A style with the given abilities. */
export function makeStyle(abilities: { readonly colour: boolean; readonly unicode: boolean }): Style {
  const { colour, unicode } = abilities;
  const frames = unicode ? spinners.unicode : spinners.ascii;
  return {
    colour,
    unicode,
    clean: (text) => (unicode ? escapeText(text) : toAscii(escapeText(text))),
    paint: (tone, text) =>
      colour && text !== '' ? styleText(tones[tone], text, { validateStream: false }) : text,
    spinner: (frame) => frames[frame % frames.length] ?? '',
  };
}

export interface Surroundings {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly terminal: boolean;
  /** What the command line says: `--no-color` gives false, `--color` true. */
  readonly colour?: boolean | undefined;
}

/** The style for a stream: the flag comes first, then NO_COLOR, then FORCE_COLOR, then whether it is a capable terminal. */
export function chooseStyle(surroundings: Surroundings): Style {
  return makeStyle({ colour: wantsColour(surroundings), unicode: showsUnicode(surroundings.environment) });
}

/** Whether lines may be redrawn in place: a real terminal of a known size (0: nobody gave it one) that is not the log of a build. */
export function isLive(surroundings: Surroundings & { readonly columns?: number | undefined }): boolean {
  const { environment, terminal, columns } = surroundings;
  return terminal && columns !== 0 && environment.TERM !== 'dumb' && !isSet(environment.CI);
}

function wantsColour({ environment, terminal, colour }: Surroundings): boolean {
  if (colour !== undefined) return colour;
  if (environment.NO_COLOR !== undefined && environment.NO_COLOR !== '') return false;
  if (environment.FORCE_COLOR !== undefined) return isSet(environment.FORCE_COLOR, true);
  return terminal && environment.TERM !== 'dumb';
}

function showsUnicode(environment: Surroundings['environment']): boolean {
  const locale = environment.LC_ALL || environment.LC_CTYPE || environment.LANG || '';
  return /utf-?8/i.test(locale);
}

function isSet(value: string | undefined, empty = false): boolean {
  if (value === undefined) return false;
  return value === '' ? empty : value !== '0' && value !== 'false';
}

function toAscii(text: string): string {
  return text.replace(/[^\x20-\x7e]/gu, (character) => {
    const known = ascii[character];
    return known ?? `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
  });
}
