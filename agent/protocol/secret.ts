/**
 * A value that must not be printed: opened by name, masked everywhere else.
 * Invariant: toString, JSON, template literals and inspection give the mask; only `openSecret` gives the text.
 * Never extend String, never keep the text in an own property.
 */

const mask = '«secret»';
const texts = new WeakMap<Secret, string>();

export class Secret {
  constructor(text: string) {
    texts.set(this, text);
    Object.freeze(this);
  }

  toString(): string {
    return mask;
  }

  toJSON(): string {
    return mask;
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return mask;
  }
}

/** The text itself. Call it only where the text is used up: a password prompt, a frame's encoder, a file's content. */
export function openSecret(secret: Secret): string {
  const text = texts.get(secret);
  if (text === undefined) throw new TypeError('not a secret of this process');
  return text;
}
