/**
 * The texts that must never leave, in every encoding they commonly travel in.
 * Invariant: a registered text of four characters or more is found raw, in JSON, base64, hex and URL form, overlapping or not.
 * Never gives a text back; shorter secrets are refused because masking them would eat half of every message.
 */

import { openSecret, type Secret } from '../../agent/protocol/secret.ts';

const mask = '«secret»';
const shortest = 4;
/** Single lines of a multi-line secret (a key, a certificate) are masked from this length on. */
const shortestLine = 8;

/** A stretch of text, end excluded. */
export interface Stretch {
  readonly start: number;
  readonly end: number;
}

export class SecretRegistry {
  readonly #needles = new Set<string>();
  #pattern: RegExp | undefined;
  #longest = 0;

  /** Adds a secret. False when it is too short to be masked. */
  add(secret: Secret): boolean {
    const text = openSecret(secret);
    if (text.length < shortest) return false;
    for (const needle of encodings(text)) {
      this.#needles.add(needle);
      this.#longest = Math.max(this.#longest, needle.length);
    }
    this.#pattern = undefined;
    return true;
  }

  /** The text with every secret replaced by the mask. */
  redact(text: string): string {
    let clean = '';
    let from = 0;
    for (const { start, end } of this.find(text)) {
      clean += text.slice(from, start) + mask;
      from = end;
    }
    return from === 0 ? text : clean + text.slice(from);
  }

  /** Where secrets stand in a text; stretches that touch or overlap are one. */
  find(text: string): readonly Stretch[] {
    if (this.#needles.size === 0 || text.length < shortest || !this.#matcher().test(text)) return [];
    const found: Stretch[] = [];
    for (const needle of this.#needles) {
      for (let at = text.indexOf(needle); at >= 0; at = text.indexOf(needle, at + 1)) {
        found.push({ start: at, end: at + needle.length });
      }
    }
    return merge(found);
  }

  /** How many characters at the end of a text could be the beginning of a secret. */
  openEnd(text: string): number {
    for (let length = Math.min(text.length, this.#longest - 1); length > 0; length -= 1) {
      const end = text.slice(-length);
      for (const needle of this.#needles) if (needle.length > length && needle.startsWith(end)) return length;
    }
    return 0;
  }

  #matcher(): RegExp {
    this.#pattern ??= new RegExp(
      [...this.#needles].map((needle) => needle.replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&')).join('|'),
    );
    return this.#pattern;
  }
}

function* encodings(text: string): Generator<string> {
  yield* variants(text);
  const lines = text.split(/\r?\n/);
  if (lines.length === 1) return;
  for (const line of lines) if (line.length >= shortestLine) yield* variants(line);
}

function* variants(text: string): Generator<string> {
  const bytes = Buffer.from(text);
  yield text;
  const json = JSON.stringify(text).slice(1, -1);
  yield json;
  yield JSON.stringify(json).slice(1, -1);
  const url = encodeURIComponent(text.toWellFormed());
  yield url;
  yield url.replaceAll('%20', '+');
  yield url.replace(/%../g, (code) => code.toLowerCase());
  yield bytes.toString('hex');
  for (const form of ['base64', 'base64url'] as const) {
    yield bytes.toString(form);
    for (const shift of [0, 1, 2]) yield* innerBase64(bytes, shift, form);
  }
}

/** The part of a base64 text that is the same whatever stands before and behind the secret. */
function* innerBase64(bytes: Buffer, shift: number, form: 'base64' | 'base64url'): Generator<string> {
  const encoded = Buffer.concat([Buffer.alloc(shift), bytes])
    .toString(form)
    .replace(/=+$/, '');
  const first = Math.ceil((shift * 8) / 6);
  const last = Math.floor(((shift + bytes.length) * 8) / 6);
  const inner = encoded.slice(first, last);
  if (inner.length >= shortest) yield inner;
}

function merge(stretches: readonly Stretch[]): Stretch[] {
  const merged: { start: number; end: number }[] = [];
  for (const { start, end } of [...stretches].sort((a, b) => a.start - b.start)) {
    const last = merged.at(-1);
    if (last !== undefined && start <= last.end) last.end = Math.max(last.end, end);
    else merged.push({ start, end });
  }
  return merged;
}
