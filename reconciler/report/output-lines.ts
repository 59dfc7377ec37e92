/**
 * Whole lines out of pieces of output, and the last few of them.
 * Invariant: holds at most `kept` lines of at most `longest` characters each, however much is said.
 * Never waits for a line's end for more than `longest` characters.
 */

const kept = 12;
const longest = 4096;

export class OutputLines {
  #partial = '';
  #last: string[] = [];

  /** Takes a piece and gives the lines it completed. */
  push(text: string): string[] {
    const pieces = (this.#partial + text).split('\n');
    this.#partial = pieces.pop() ?? '';
    const whole = pieces.map((piece) => piece.replace(/\r+$/, '').slice(0, longest));
    if (this.#partial.length > longest) {
      whole.push(this.#partial.slice(0, longest));
      this.#partial = '';
    }
    this.#last = [...this.#last, ...whole].slice(-kept);
    return whole;
  }

  /** The line that has no end yet, as if it had. */
  flush(): string[] {
    return this.#partial === '' ? [] : this.push('\n');
  }

  /** The last lines said, oldest first. */
  get last(): readonly string[] {
    return this.#partial === '' ? this.#last : [...this.#last, this.#partial].slice(-kept);
  }
}
